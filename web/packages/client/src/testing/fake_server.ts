// The other end of signaling in tests: the test sees what a client wrote and writes what it likes.

import { create, fromJsonString, toJsonString, type MessageInitShape } from '@bufbuild/protobuf';
import { ClientMessageSchema, ServerMessageSchema, type ClientMessage } from '@huitang/protocol';
import type { Socket, SocketFactory, SocketHandlers } from '../environment';

type ServerInit = NonNullable<MessageInitShape<typeof ServerMessageSchema>['body']>;

export class FakeSocket implements Socket {
  readonly received: ClientMessage[] = [];
  isClosed = false;

  constructor(readonly handlers: SocketHandlers) {}

  send(text: string): void {
    this.received.push(fromJsonString(ClientMessageSchema, text));
  }

  close(): void {
    this.isClosed = true;
  }

  reply(to: ClientMessage | undefined, body: ServerInit): void {
    this.handlers.received(toJsonString(ServerMessageSchema, create(ServerMessageSchema, { replyTo: to?.id ?? 0, body })));
  }

  tell(body: ServerInit): void {
    this.reply(undefined, body);
  }

  last(kind: NonNullable<ClientMessage['body']['case']>): ClientMessage | undefined {
    return this.all(kind).pop();
  }

  all(kind: NonNullable<ClientMessage['body']['case']>): ClientMessage[] {
    return this.received.filter((message) => message.body.case === kind);
  }
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  /** The next sockets fail at once when false. */
  reachable = true;

  readonly open: SocketFactory = (handlers) => {
    const socket = new FakeSocket(handlers);
    this.sockets.push(socket);
    if (!this.reachable) queueMicrotask(() => !socket.isClosed && handlers.closed());
    return socket;
  };

  get socket(): FakeSocket {
    const socket = this.sockets[this.sockets.length - 1];
    if (socket === undefined) throw new Error('no socket was opened');
    return socket;
  }

  /** Opens the newest socket and welcomes its client. */
  welcome(resumed = false, resumeToken = 'token-1'): FakeSocket {
    const { socket } = this;
    socket.handlers.opened();
    socket.reply(socket.last('hello'), {
      case: 'welcome',
      value: { sessionId: 's', resumeToken, resumed, slots: { audio: 6, video: 16, share: 2, paired: 6 }, resumeSeconds: 60 },
    });
    return socket;
  }
}
