// The outside world as the client sees it. Everything here is injected, so that the client runs under a virtual
// clock with fake sockets and peers in tests.

export type Cancel = () => void;

export interface Clock {
  /** Milliseconds on a monotonic scale. */
  now(): number;
  schedule(delayMs: number, run: () => void): Cancel;
}

/** Uniform in [0, 1). */
export type Random = () => number;

export interface Socket {
  send(text: string): void;
  /** No handler is called after this returns. */
  close(): void;
}

export interface SocketHandlers {
  opened(): void;
  received(text: string): void;
  closed(): void;
}

export type SocketFactory = (handlers: SocketHandlers) => Socket;

export type PeerConnectionFactory = () => RTCPeerConnection;

/** What browsers do differently in ways that matter here (docs/browsers.md). */
export interface BrowserTraits {
  /** An ICE restart brings a PeerConnection back; elsewhere only a new one does. */
  readonly restartsIce: boolean;
  /** A WebSocket closed while it connects stops knocking; elsewhere its knocks go on and crowd out later ones. */
  readonly endsLostSockets: boolean;
}

export interface Environment {
  readonly traits: BrowserTraits;
  readonly clock: Clock;
  readonly random: Random;
  readonly openSocket: SocketFactory;
  readonly createPeerConnection: PeerConnectionFactory;
  /** Codecs this browser can take, or undefined where it cannot say. */
  readonly receiverCapabilities: (kind: 'audio' | 'video') => RTCRtpCapabilities | undefined;
  /** Unpredictable text for command ids. */
  readonly createId: () => string;
}
