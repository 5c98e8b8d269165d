// Everything a client needs, made of fakes and standing still.

import type { Environment } from '../environment';
import { FakePeerConnection } from './fake_peer';
import { FakeServer } from './fake_server';
import { VirtualClock } from './virtual_clock';

export class World {
  readonly clock = new VirtualClock();
  readonly server = new FakeServer();
  readonly peers: FakePeerConnection[] = [];
  private ids = 0;

  readonly traits = { restartsIce: true, endsLostSockets: true };

  readonly env: Environment = {
    traits: this.traits,
    clock: this.clock,
    random: () => 0.5,
    openSocket: this.server.open,
    createPeerConnection: () => {
      const peer = new FakePeerConnection();
      this.peers.push(peer);
      return peer as unknown as RTCPeerConnection;
    },
    receiverCapabilities: (kind) => ({
      codecs: (kind === 'audio' ? ['audio/opus', 'audio/red', 'audio/PCMU'] : ['video/VP8', 'video/rtx', 'video/H264', 'video/AV1']).map((mimeType) => ({ mimeType, clockRate: 90_000 })),
      headerExtensions: [],
    }),
    createId: () => `command-${++this.ids}`,
  };

  /** Sound arrives every 20 ms for so long. */
  async hear(ms: number): Promise<void> {
    for (let past = 0; past < ms; past += 20) {
      const slot = this.peer.transceivers[4];
      if (slot !== undefined) slot.played = this.clock.now() + 1;
      await this.clock.advance(20);
    }
  }

  get peer(): FakePeerConnection {
    const peer = this.peers[this.peers.length - 1];
    if (peer === undefined) throw new Error('no peer was made');
    return peer;
  }
}

export function fakeTrack(id: string): MediaStreamTrack {
  return { id, stop: () => undefined, addEventListener: () => undefined } as unknown as MediaStreamTrack;
}
