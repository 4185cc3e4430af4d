// Whether webhooks come so fast that they need the main thread for themselves. Delivery shares it with them, and what
// it does not carry now costs disk; a webhook that is not answered now costs somebody's login.

/** How long a look back is. */
const windowMs = 100;
/** Share of the time that the main thread is at work. */
const busyUtilization = 0.6;
/** Below this rate whatever keeps the thread busy is delivery itself, which then should go on. */
const busyAppendsPerSecond = 1_000;

export class AppendPressure {
  #appends = 0;
  #since = performance.now();
  #utilization = performance.eventLoopUtilization();
  #isHigh = false;

  noteAppend(): void {
    this.#appends++;
  }

  isHigh(): boolean {
    const elapsedMs = performance.now() - this.#since;
    if (elapsedMs >= windowMs) {
      const { utilization } = performance.eventLoopUtilization(this.#utilization);
      this.#isHigh =
        utilization > busyUtilization && (this.#appends * 1000) / elapsedMs > busyAppendsPerSecond;
      this.#appends = 0;
      this.#since += elapsedMs;
      this.#utilization = performance.eventLoopUtilization();
    }
    return this.#isHigh;
  }
}
