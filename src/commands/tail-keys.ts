// The keys of `tail` at a terminal.

import { emitKeypressEvents } from 'node:readline';

export interface Keys {
  readonly isPaused: boolean;
  /** The digits that were pressed since the last call, in order, each once. */
  takeDigits(): readonly number[];
  end(): void;
}

/** As readline tells of a key: what it sent, which for Page Up is a sequence with a digit in it. */
interface Keypress {
  readonly sequence?: string;
  readonly name?: string;
  readonly ctrl?: boolean;
}

/** Space pauses and goes on, a digit is kept, `q` and Ctrl-C abort `ending`. Several may come at once, as from a paste. */
export function watchKeys(ending: AbortController): Keys {
  const { stdin } = process;
  const digits = new Set<number>();
  let isPaused = false;
  const onKeypress = (_text: string | undefined, { sequence, name, ctrl }: Keypress) => {
    if (sequence === 'q' || (ctrl === true && name === 'c')) ending.abort();
    else if (sequence === ' ') isPaused = !isPaused;
    else if (sequence !== undefined && /^\d$/.test(sequence)) digits.add(Number(sequence));
  };
  emitKeypressEvents(stdin);
  stdin.setRawMode(true).on('keypress', onKeypress).resume();
  return {
    get isPaused() {
      return isPaused;
    },
    takeDigits() {
      const taken = [...digits];
      digits.clear();
      return taken;
    },
    end() {
      stdin.off('keypress', onKeypress).setRawMode(false).pause();
    },
  };
}
