import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { contentSecurityPolicy, renderPage } from '../../src/http/page.ts';
import type { PageData } from '../../src/http/page.ts';
import type { DestinationStatus } from '../../src/http/status.ts';
import type { EventId } from '../../src/fusionauth/event.ts';
import type { Position, RecordSummary } from '../../src/log/log.ts';

describe('the page', () => {
  test('shows version, verification, books, destinations and the last events', () => {
    const page = renderPage(
      makeData({
        verification: 'Webhooks are verified by HMAC secret',
        version: '1.2.3',
        status: {
          received: 1_111,
          duplicates: 2_222,
          stored: 3_333,
          rejected: 4_444,
          destinations: {
            segment: makeDestination({ pending: 5_555, delivered: 6_666, filtered: 7_777, dead: 8_888 }),
          },
        },
        places: { segment: 'https://api.segment.io' },
        latest: [makeSummary({ type: 'user.create.complete', outcomes: { segment: 'delivered' } })],
      }),
    );

    for (const text of [
      ...['1.2.3', 'Webhooks are verified by HMAC secret', 'https://api.segment.io', 'running'],
      ...['1111', '2222', '3333', '4444', '5555', '6666', '7777', '8888'],
      ...['2026-01-01 00:00:00', 'user.create.complete', 'event-1', 'hmac:1', 'delivered'],
    ]) {
      assert.ok(page.includes(`>${text}<`), `${text} is on the page`);
    }
  });

  test('shows why a destination fails, since when, and what to do', () => {
    const fault = { message: 'Segment is down', hint: 'Wait for it', attempts: 17, since: 1_767_225_600_000 };

    const page = renderPage(makeData({ status: { segment: makeDestination({ state: 'retrying', fault }) } }));

    assert.match(page, /Segment is down, 17 attempts since 2026-01-01 00:00:00\.<br>Wait for it/);
  });

  test('of a bridge that is new says how to go on', () => {
    const page = renderPage(makeData({ status: {}, latest: [] }));

    assert.match(page, /Nothing has arrived yet/);
    assert.match(page, /send user\.login\.success/);
    assert.match(page, /SEGMENT_WRITE_KEY.*WAREHOUSE_URL/);
    assert.doesNotMatch(page, /<table>/);
  });

  test('has no outcome for a destination that an event does not know', () => {
    const page = renderPage(makeData({ latest: [makeSummary({ outcomes: {} })] }));

    assert.match(page, /<td class=""><\/td>/);
    assert.doesNotMatch(page, /undefined/);
  });

  test('runs no script, loads nothing, and its policy allows neither', () => {
    const page = renderPage(makeData());

    assert.doesNotMatch(page, /<script|javascript:|<[^>]+\son\w+=|src=|href=|url\(|@import/i);
    assert.match(contentSecurityPolicy, /default-src 'none'/);
    assert.doesNotMatch(contentSecurityPolicy, /script|\*|https?:/);
  });
});

describe('text of others on the page', () => {
  const hostile = `<script>alert("1")</script>'"><img src=x onerror=alert(2)>&amp;`;
  const escaped =
    '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&quot;&gt;&lt;img src=x onerror=alert(2)&gt;&amp;amp;';
  const fault = { message: 'm', hint: 'h', attempts: 1, since: 0 };

  const places: [name: string, data: Partial<Changes>][] = [
    ['an event’s type', { latest: [makeSummary({ type: hostile })] }],
    ['an event’s id', { latest: [makeSummary({ id: hostile as EventId })] }],
    ['the key that verified it', { latest: [makeSummary({ verifiedBy: hostile })] }],
    ['a destination’s name', { status: { [hostile]: makeDestination() }, latest: [makeSummary()] }],
    ['a destination’s place', { places: { segment: hostile } }],
    ['a fault', { status: { segment: makeDestination({ fault: { ...fault, message: hostile } }) } }],
    ['the hint of a fault', { status: { segment: makeDestination({ fault: { ...fault, hint: hostile } }) } }],
    ['how webhooks are verified', { verification: hostile }],
    ['the version', { version: hostile }],
  ];
  for (const [name, data] of places) {
    test(`is text and never markup: ${name}`, () => {
      const page = renderPage(makeData(data));

      assert.ok(page.includes(escaped));
      assert.doesNotMatch(page, /<script|<img/);
    });
  }

  test('never adds a tag, whatever it is', () => {
    const tagsIn = (page: string) => page.match(/<\/?[a-z]+/gi);
    const render = (text: string) =>
      renderPage(
        makeData({
          status: { segment: makeDestination({ fault: { ...fault, message: text, hint: text } }) },
          places: { segment: text },
          latest: [makeSummary({ type: text, id: text as EventId, verifiedBy: text })],
        }),
      );
    const expected = tagsIn(render('plain'));

    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('<', '>', '&', '"', "'", '/', '=', ' ', ';', 'a', 'b', 'script', 'amp'),
        }),
        (text) => {
          assert.deepEqual(tagsIn(render(text)), expected);
        },
      ),
    );
  });
});

interface Changes extends Omit<PageData, 'status'> {
  /** The destinations, or all of it. */
  readonly status: PageData['status'] | Readonly<Record<string, DestinationStatus>>;
}

function makeData({ status = { segment: makeDestination() }, ...changes }: Partial<Changes> = {}): PageData {
  return {
    status: isWhole(status)
      ? status
      : { received: 0, rejected: 0, duplicates: 0, stored: 0, destinations: status },
    latest: [makeSummary()],
    places: {},
    verification: 'Webhooks are not verified',
    version: '0.0.0',
    session: undefined,
    ...changes,
  };
}

function isWhole(status: Changes['status']): status is PageData['status'] {
  return 'destinations' in status;
}

function makeDestination(fields: Partial<DestinationStatus> = {}): DestinationStatus {
  return {
    state: 'running',
    pending: 0,
    delivered: 0,
    filtered: 0,
    dead: 0,
    oldestPendingSeconds: 0,
    ...fields,
  };
}

function makeSummary(fields: Partial<RecordSummary> = {}): RecordSummary {
  return {
    position: '1' as Position,
    id: 'event-1' as EventId,
    type: 'user.login.success',
    tenantId: null,
    receivedAt: 1_767_225_600_000,
    verifiedBy: 'hmac:1',
    outcomes: { segment: 'pending' },
    ...fields,
  };
}
