// As much of an RTCPeerConnection as the client uses: transceivers, descriptions as bare lists of mids, and a
// connection state that the test sets.

class FakeSender {
  track: MediaStreamTrack | null = null;
  readonly replaced: (MediaStreamTrack | null)[] = [];
  encodings: readonly RTCRtpEncodingParameters[];
  /** How often setParameters was called. */
  changes = 0;
  /** So many calls of setParameters fail. */
  refusals = 0;

  constructor(encodings: readonly RTCRtpEncodingParameters[]) {
    this.encodings = encodings;
  }

  getParameters(): { encodings: RTCRtpEncodingParameters[] } {
    return { encodings: this.encodings.map((encoding) => ({ ...encoding })) };
  }

  setParameters(parameters: { encodings: RTCRtpEncodingParameters[] }): Promise<void> {
    this.changes++;
    if (this.refusals-- > 0) return Promise.reject(new Error('not now'));
    this.encodings = parameters.encodings;
    return Promise.resolve();
  }

  replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    this.replaced.push(track);
    return Promise.resolve().then(() => {
      this.track = track;
    });
  }
}

export class FakeTransceiver {
  mid: string | null = null;
  readonly sender: FakeSender;
  /** When its newest packet was played; the test sets it. */
  played = 0;
  readonly receiver: { readonly track: { readonly id: string }; readonly getSynchronizationSources: () => { readonly timestamp: number }[] };
  codecs: readonly { readonly mimeType: string }[] = [];

  constructor(
    readonly kind: string,
    readonly init: RTCRtpTransceiverInit,
    id: string,
  ) {
    this.receiver = { track: { id }, getSynchronizationSources: () => (this.played === 0 ? [] : [{ timestamp: this.played }]) };
    this.sender = new FakeSender(init.sendEncodings ?? []);
  }

  setCodecPreferences(codecs: readonly { readonly mimeType: string }[]): void {
    this.codecs = codecs;
  }
}

export class FakePeerConnection {
  readonly transceivers: FakeTransceiver[] = [];
  readonly offers: RTCOfferOptions[] = [];
  readonly answers: string[] = [];
  connectionState: RTCPeerConnectionState = 'new';
  signalingState: RTCSignalingState = 'stable';
  localDescription: { readonly sdp: string } | null = null;
  isClosed = false;
  refusesAnswers = false;
  private readonly listeners: (() => void)[] = [];

  addEventListener(_name: string, listener: () => void): void {
    this.listeners.push(listener);
  }

  addTransceiver(kind: string, init: RTCRtpTransceiverInit): FakeTransceiver {
    const transceiver = new FakeTransceiver(kind, init, `track-${this.transceivers.length}`);
    this.transceivers.push(transceiver);
    return transceiver;
  }

  createOffer(options: RTCOfferOptions): Promise<{ type: 'offer'; sdp: string }> {
    this.offers.push(options);
    return Promise.resolve({ type: 'offer', sdp: this.transceivers.map((_, n) => `m=${n}\r\na=mid:${n}\r\n`).join('') });
  }

  setLocalDescription(description: { type: string; sdp?: string }): Promise<void> {
    if (description.type === 'rollback') {
      this.signalingState = 'stable';
    } else {
      this.signalingState = 'have-local-offer';
      this.localDescription = { sdp: description.sdp ?? '' };
      this.transceivers.forEach((transceiver, n) => (transceiver.mid = String(n)));
    }
    return Promise.resolve();
  }

  setRemoteDescription(description: { sdp: string }): Promise<void> {
    if (this.refusesAnswers) return Promise.reject(new Error('bad answer'));
    this.answers.push(description.sdp);
    this.signalingState = 'stable';
    return Promise.resolve();
  }

  getStats(): Promise<Map<string, unknown>> {
    return Promise.resolve(new Map<string, unknown>());
  }

  close(): void {
    this.isClosed = true;
  }

  enter(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    for (const listener of this.listeners) listener();
  }
}
