// An adapter in the manner of FusionAuth's guide, in our own words, to measure against: Express and axios, a request to
// Segment for each event, answered before that request is, nothing stored, nothing verified.

import express from 'express';
import axios from 'axios';

interface Webhook {
  event: {
    type: string;
    createInstant?: number;
    user?: { id?: string; email?: string };
    info?: { userAgent?: string };
  };
}

const [port = '', segment = ''] = process.argv.slice(2);
const server = express();
server.use(express.json());
server.post('/', (request, response) => {
  const { event } = request.body as Webhook;
  if (event.type === 'user.login.success') {
    axios
      .post(
        `${segment}/v1/track`,
        {
          writeKey: 'k',
          event: event.type,
          userId: event.user?.id,
          timestamp: new Date(event.createInstant ?? 0).toISOString(),
          properties: {},
          context: { userAgent: event.info?.userAgent },
        },
        { headers: { 'Content-Type': 'application/json' } },
      )
      .catch(() => undefined);
  }
  response.send('Event processed');
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
