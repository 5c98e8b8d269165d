// The real outside world of the client: the page's WebSocket, PeerConnection, clock and random source.

import { SUBPROTOCOL } from '@huitang/protocol';
import type { Clock, Environment, Socket, SocketHandlers } from '../environment';

const clock: Clock = {
  now: () => performance.now(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Tabs and reloads share what the browser remembers. */
let sockets = Math.floor(Math.random() * 1e9);

/**
 * Each has a path of its own: Firefox lets a socket wait whose like, by address and path, has failed before, after some
 * attempts into a dead network for ten seconds and more. Every fourth has the plain one, which is all that a serve of
 * before this page knows, should it have been taken back.
 */
function openSocket(handlers: SocketHandlers): Socket {
  const scheme = location.protocol === 'http:' ? 'ws' : 'wss';
  const path = ++sockets % 4 === 0 ? '/ws' : `/ws/${sockets}`;
  const socket = new WebSocket(`${scheme}://${location.host}${path}`, SUBPROTOCOL);
  let isOpen = true;
  socket.onopen = () => isOpen && handlers.opened();
  socket.onmessage = (event: MessageEvent<unknown>) => {
    if (isOpen && typeof event.data === 'string') handlers.received(event.data);
  };
  socket.onclose = () => {
    if (isOpen) handlers.closed();
    isOpen = false;
  };
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => {
      isOpen = false;
      socket.close();
    },
  };
}

function createId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function browserEnvironment(): Environment {
  const isFirefox = navigator.userAgent.includes('Firefox/');
  return {
    traits: { restartsIce: !isFirefox, endsLostSockets: !isFirefox },
    clock,
    random: Math.random,
    openSocket,
    // No STUN or TURN server is ever asked: the node is reachable itself.
    createPeerConnection: () => new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' }),
    receiverCapabilities: (kind) => RTCRtpReceiver.getCapabilities?.(kind) ?? undefined,
    createId,
  };
}

/** What is missing for a meeting in this browser, or undefined. */
export function missingFeature(): 'webrtc' | 'secureContext' | undefined {
  if (typeof RTCPeerConnection !== 'function' || typeof RTCRtpTransceiver !== 'function') return 'webrtc';
  return window.isSecureContext ? undefined : 'secureContext';
}
