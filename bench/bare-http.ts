// The least that an HTTP server of Node's does for a webhook: reads it and answers 200. The ceiling to measure against.

import { createServer } from 'node:http';

const answer = '{"status":"stored"}';
createServer((request, response) => {
  request.resume().once('end', () => {
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
      .end(answer);
  });
}).listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'));
