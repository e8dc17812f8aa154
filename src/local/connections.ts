import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The connections of a server, and which of them wait for an answer. */
export interface Connections {
  /** Says that this request is read, and is to be answered before its connection ends. */
  begin(incoming: IncomingMessage, outgoing: ServerResponse): void;
  /** Ends each connection as soon as it waits for no answer: those that do not now, at once. */
  end(): void;
}

/**
 * Keeps count for a server that is to end. `close` of node:http alone waits, without a limit, for connections that
 * have sent nothing or half a request.
 */
export function trackConnections(server: Server): Connections {
  const answersDue = new Map<Socket, number>();
  let ending = false;

  function add(socket: Socket, change: 1 | -1): void {
    const before = answersDue.get(socket);
    if (before === undefined) return; // gone meanwhile
    answersDue.set(socket, before + change);
    // What was written is still sent.
    if (ending && before + change === 0) socket.destroySoon();
  }

  server.on('connection', (socket) => {
    answersDue.set(socket, 0);
    socket.once('close', () => answersDue.delete(socket));
  });
  return {
    begin({ socket }, outgoing) {
      add(socket, 1);
      outgoing.once('close', () => add(socket, -1));
    },
    end() {
      ending = true;
      for (const [socket, due] of answersDue) {
        if (due === 0) socket.destroy();
      }
    },
  };
}
