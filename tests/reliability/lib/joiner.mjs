// A thread that joins a conference again and again as an ordinary client would, until told that it is enough; then it
// tells {times: ms of each, refused, why}.
import { parentPort, workerData } from 'node:worker_threads';
import { RawSocket } from './raw.mjs';

const server = { httpsPort: workerData.httpsPort };
const told = { times: [], refused: 0, why: '' };
let isEnough = false;
parentPort.once('message', () => (isEnough = true));

while (!isEnough) {
  const began = performance.now();
  try {
    const socket = await RawSocket.hello(server, { from: '127.0.0.9' });
    const reply = await socket.join(workerData.number, 'Joiner');
    if (!reply.joined) throw new Error(JSON.stringify(reply));
    told.times.push(performance.now() - began);
    await socket.command({ leave: {} });
    socket.cut();
  } catch (error) {
    ++told.refused;
    told.why = error.message;
  }
  await new Promise((done) => setTimeout(done, 150));
}
parentPort.postMessage(told);
