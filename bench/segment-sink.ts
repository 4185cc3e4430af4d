// A Segment that takes everything and does nothing with it; prints how many requests it has had when it is stopped.

import { createServer } from 'node:http';

let requests = 0;
const answer = '{"success":true}';
createServer((request, response) => {
  request.resume().once('end', () => {
    requests++;
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
      .end(answer);
  });
}).listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'));
process.once('SIGTERM', () => {
  process.stdout.write(`${requests}\n`);
  process.exit(0);
});
