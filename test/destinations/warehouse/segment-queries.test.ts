// Queries written for Segment's own warehouse run unchanged on ours. They do, in words of our own, what the models of
// public dbt packages for Segment do (dbt-labs/segment: segment_web_page_views with its sessionization,
// segment_web_user_stitching, and the counts of events by type), and name only tables and columns that Segment documents.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { JsonMap, Message, MessageId } from '../../../src/segment/message.ts';
import { messagesOf, receivedSample } from '../../support/mapped.ts';
import { ViewedSchema } from '../../support/warehouse-views.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

const ann = 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0';
const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36';
const pixel = 'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36';

let messages = 0;
const minutes = (count: number) => new Date(Date.UTC(2026, 0, 5, 9, count)).toISOString();

/** A page view, as Segment's analytics.js sends it. */
function page(visitor: string, minute: number, path: string, context: JsonMap, userId?: string): Message {
  return {
    type: 'page',
    messageId: `ajs-${++messages}` as MessageId,
    anonymousId: visitor,
    ...(userId === undefined ? {} : { userId }),
    timestamp: minutes(minute),
    context: { ip: '203.0.113.1', ...context },
    properties: {
      path,
      url: `https://www.example.com${path}`,
      title: `Page ${path}`,
      search: '',
      referrer: minute === 0 ? 'https://news.example.org/' : '',
    },
  };
}

/** Two visitors, one of whom is ann once she logs in: FusionAuth's own events say so. */
const history: readonly Message[] = [
  page('laptop', 0, '/', {
    userAgent: mac,
    campaign: { source: 'newsletter', medium: 'email', name: 'spring' },
  }),
  page('laptop', 10, '/prices', { userAgent: mac }),
  page('laptop', 45, '/', { userAgent: mac }),
  page('laptop', 50, '/account', { userAgent: mac }, ann),
  page('telephone', 20, '/', { userAgent: pixel }),
  page('telephone', 50, '/prices', { userAgent: pixel }),
  ...(['user.create.complete', 'user.login.success', 'user.login.failed'] as const).flatMap((type, index) =>
    messagesOf(
      receivedSample(type, {
        id: `event-${index}`,
        createInstant: Date.parse(minutes(46 + index)),
        info: { data: { anonymousId: 'laptop' } },
      }),
    ),
  ),
];

let warehouse: TestWarehouse;
const schema = () => new ViewedSchema(warehouse, 'segment');
before(async () => {
  warehouse = await startWarehouse();
  await schema().load(history);
  await schema().makeViews();
});
after(() => warehouse[Symbol.asyncDispose]());

test('page views become sessions that end after half an hour without one', async () => {
  const sessions = await warehouse.query(`
    with page_view as (
      select *, row_number() over (partition by id order by received_at) as copy from segment.pages
    ),
    cleaned as (
      select id as page_view_id, anonymous_id, user_id, sent_at, received_at, timestamp as viewed_at, url, path, title,
        search, referrer, split_part(split_part(referrer, '//', 2), '/', 1) as referrer_host,
        context_campaign_source as utm_source, context_campaign_medium as utm_medium,
        context_campaign_name as utm_campaign, context_ip as ip,
        case when context_user_agent ilike '%android%' then 'Android'
          else replace(split_part(split_part(context_user_agent, '(', 2), ' ', 1), ';', '') end as device
      from page_view where copy = 1
    ),
    measured as (
      select *, viewed_at - lag(viewed_at) over visit as idle,
        row_number() over visit as page_view_number
      from cleaned window visit as (partition by anonymous_id order by viewed_at)
    ),
    counted as (
      select *, sum(case when idle <= interval '30 minutes' then 0 else 1 end) over (
        partition by anonymous_id order by page_view_number rows between unbounded preceding and current row
      ) as session_number
      from measured
    )
    select anonymous_id, session_number::int, count(*)::int as page_views,
      (extract(epoch from max(viewed_at) - min(viewed_at)) / 60)::int as minutes,
      min(path) filter (where page_view_number = first_number) as first_path,
      max(utm_source) as utm_source, max(utm_campaign) as utm_campaign, max(referrer_host) as referrer_host,
      max(device) as device
    from (
      select *, min(page_view_number) over (partition by anonymous_id, session_number) as first_number from counted
    ) as numbered
    group by anonymous_id, session_number order by anonymous_id, session_number`);

  assert.deepEqual(
    sessions.map((session) => Object.values(session)),
    [
      ['laptop', 1, 2, 10, '/', 'newsletter', 'spring', 'news.example.org', 'Macintosh'],
      ['laptop', 2, 2, 5, '/', null, null, '', 'Macintosh'],
      ['telephone', 1, 2, 30, '/', null, null, '', 'Android'],
    ],
  );
});

test('a visitor’s page views before the login are stitched to the user, whom an identify told of', async () => {
  const stitched = await warehouse.query(`
    with known as (
      select anonymous_id, user_id, email, timestamp from segment.identifies
      union all select anonymous_id, user_id, null, timestamp from segment.pages
      union all select anonymous_id, user_id, null, timestamp from segment.tracks
    ),
    ranked as (
      select anonymous_id, user_id, row_number() over (partition by anonymous_id order by timestamp desc) as place,
        first_value(timestamp) over (partition by anonymous_id order by timestamp) as first_known_at
      from known where anonymous_id is not null and user_id is not null
    )
    select page.anonymous_id, page.path, coalesce(page.user_id, ranked.user_id, page.anonymous_id) as blended_user_id,
      person.email
    from segment.pages as page
    left join ranked on ranked.anonymous_id = page.anonymous_id and ranked.place = 1
    left join segment.users as person on person.id = ranked.user_id
    order by page.anonymous_id, page.timestamp`);

  const email = 'richard.c2a5f5a8@example.com';
  assert.deepEqual(
    stitched.map((view) => Object.values(view)),
    [
      ['laptop', '/', ann, email],
      ['laptop', '/prices', ann, email],
      ['laptop', '/', ann, email],
      ['laptop', '/account', ann, email],
      ['telephone', '/', 'telephone', null],
      ['telephone', '/prices', 'telephone', null],
    ],
  );
});

test('all events of a day are counted by type from tracks, and joined with the event’s own table and the users', async () => {
  const counted = await warehouse.query(`
    with event as (
      select id, event, event_text, user_id, original_timestamp, date_trunc('day', timestamp) as day from segment.tracks
    ),
    detail as (
      select id, authentication_type, application_id, context_ip from segment.user_login_success
      union all select id, authentication_type, application_id, context_ip from segment.user_login_failed
    )
    select event.event, event.event_text, count(*)::int as events, count(distinct event.user_id)::int as users,
      max(detail.authentication_type) as authentication_type, max(person.first_name) as first_name
    from event
    left join detail on detail.id = event.id
    join segment.users as person on person.id = event.user_id
    where event.day >= date '2026-01-01'
    group by 1, 2 order by 1`);

  assert.deepEqual(
    counted.map((row) => Object.values(row)),
    [
      ['user_create_complete', 'user.create.complete', 1, 1, null, 'Richard'],
      ['user_login_failed', 'user.login.failed', 1, 1, 'PASSWORD', 'Richard'],
      ['user_login_success', 'user.login.success', 1, 1, 'PASSWORD', 'Richard'],
    ],
  );
});

test('the join of docs/warehouse.md with another source’s tables finds who bought after logging in', async () => {
  await warehouse.query('create schema shop');
  await warehouse.query('create table shop.users (id text primary key, email text)');
  await warehouse.query(
    'create table shop.order_completed (id text primary key, user_id text, "timestamp" timestamptz, revenue numeric)',
  );
  await warehouse.query(`insert into shop.users values ('shop-7', 'Richard.C2A5F5A8@example.com')`);
  await warehouse.query(
    `insert into shop.order_completed values ('o-1', '${ann}', '2026-01-05 09:55Z', 30), ('o-2', 'shop-7', '2026-01-05 10:00Z', 12)`,
  );
  const docs = await readJoins();

  const answers = await Promise.all(
    docs.map((sql) => warehouse.query(sql.replaceAll('fusionauth.', 'segment.'))),
  );

  assert.equal(answers.length, 2);
  assert.deepEqual(answers[0], [{ method: 'PASSWORD', buyers: '1', revenue: '30' }]);
  assert.deepEqual(answers[1], [
    { user_id: ann, email: 'richard.c2a5f5a8@example.com', orders: '1', revenue: '12' },
  ]);
});

/** The SQL of the section on joins. */
async function readJoins(): Promise<string[]> {
  const page = await readFile(new URL('../../../docs/warehouse.md', import.meta.url), 'utf8');
  const section = page.split('## How do I join')[1]?.split('\n## ')[0] ?? '';
  return Array.from(section.matchAll(/```sql\n([^]*?)```/g), ([, sql = '']) => sql);
}
