// A bare client of the signaling protocol inside a page of the box's origin, for what the pages' own interface does
// not let a person do: choose slots by number, say wrong things, come back with old tokens. Evaluates to a class.
(() => {
  'use strict';
  const USES = { camera: 'LINE_USE_CAMERA', video: 'LINE_USE_VIDEO_SLOT', share: 'LINE_USE_SHARE_SLOT', audio: 'LINE_USE_AUDIO_SLOT' };

  class RawClient {
    constructor() {
      this.nextId = 1;
      this.waiting = new Map();
      this.received = [];
      this.participants = new Map();
      this.left = null;
      this.closed = null;
    }

    /** Opens the socket and says Hello. */
    async open({ resumeToken = '', protocol = 1 } = {}) {
      this.socket = new WebSocket(`wss://${location.host}/ws`, 'huitang.v1');
      this.socket.addEventListener('message', (event) => this.handle(JSON.parse(event.data)));
      this.socket.addEventListener('close', (event) => {
        this.closed = { code: event.code, reason: event.reason };
        for (const done of this.waiting.values()) done({ closed: this.closed });
        this.waiting.clear();
      });
      await new Promise((done, fail) => {
        this.socket.addEventListener('open', done);
        this.socket.addEventListener('error', () => fail(new Error('no socket')));
      });
      const reply = await this.ask({ hello: { protocol, language: 'en', client: 'e2e raw client', resumeToken } });
      this.welcome = reply.welcome;
      return reply;
    }

    handle(message) {
      this.received.push(message);
      const participants = message.joined?.state?.participants ?? message.state?.participants ?? message.change?.participants ?? [];
      for (const person of participants) this.participants.set(person.id, person);
      for (const gone of message.change?.gone ?? []) this.participants.delete(gone);
      if (message.left) this.left = message.left;
      const done = this.waiting.get(message.replyTo);
      this.waiting.delete(message.replyTo);
      done?.(message);
    }

    /** Sends one message and gives the reply, `{closed}` when the socket ends, `{silent}` after `patience` ms. */
    ask(body, patience = 8000) {
      const id = this.nextId++;
      return new Promise((done) => {
        this.waiting.set(id, done);
        setTimeout(() => done({ silent: true }), patience);
        this.socket.send(JSON.stringify({ id, ...body }));
      });
    }

    sendText(text) {
      this.socket.send(text);
    }

    /** The PeerConnection of a client with all its lines, offered and answered. */
    async connect({ number = '', sendMedia = true } = {}) {
      const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
      this.pc = pc;
      this.lines = [];
      const add = (kind, use, index, init) => {
        const transceiver = pc.addTransceiver(kind, init);
        const wanted = kind === 'audio' ? ['audio/opus', 'audio/red'] : ['video/vp8', 'video/rtx'];
        const codecs = RTCRtpReceiver.getCapabilities(kind).codecs;
        transceiver.setCodecPreferences(wanted.flatMap((w) => codecs.filter((c) => c.mimeType.toLowerCase() === w)));
        this.lines.push({ transceiver, use, index });
        return transceiver;
      };
      const microphone = add('audio', 'LINE_USE_MICROPHONE', 0, { direction: 'sendonly' });
      const camera = add('video', 'LINE_USE_CAMERA', 0, {
        direction: 'sendonly',
        sendEncodings: [
          { rid: 'q', scaleResolutionDownBy: 4 },
          { rid: 'h', scaleResolutionDownBy: 2 },
          { rid: 'f' },
        ],
      });
      const { audio, video, share } = this.welcome.slots;
      for (let k = 0; k < Math.max(audio, video); ++k) {
        if (k < audio) add('audio', USES.audio, k, { direction: 'recvonly' });
        if (k < video) add('video', USES.video, k, { direction: 'recvonly' });
      }
      for (let k = 0; k < share; ++k) add('video', USES.share, k, { direction: 'recvonly' });
      if (sendMedia) {
        await microphone.sender.replaceTrack(e2e.toneTrack(e2e.settings.tone));
        await camera.sender.replaceTrack(e2e.markedTrack({ id: e2e.settings.mark, ...e2e.settings.video }));
      }
      await pc.setLocalDescription(await pc.createOffer());
      const reply = await this.ask({ offer: { sdp: pc.localDescription.sdp, lines: this.offeredLines(), number } });
      if (!reply.answer) throw new Error(`offer refused: ${JSON.stringify(reply)}`);
      await pc.setRemoteDescription({ type: 'answer', sdp: reply.answer.sdp });
      this.play();
      return reply.answer.sdp;
    }

    offeredLines() {
      return this.lines.map(({ transceiver, use, index }) => ({ mid: transceiver.mid, use, index }));
    }

    slot(use, index) {
      return this.lines.find((line) => line.use === USES[use] && line.index === index).transceiver.receiver;
    }

    /** One element for each slot, as the pages do it. */
    play() {
      this.videos = [];
      this.sounds = [];
      for (const { transceiver, use, index } of this.lines) {
        if (use !== USES.audio && use !== USES.video) continue;
        const element = document.createElement(use === USES.audio ? 'audio' : 'video');
        element.autoplay = true;
        element.muted = use === USES.video;
        element.width = 160;
        element.srcObject = new MediaStream([transceiver.receiver.track]);
        document.body.append(element);
        (use === USES.audio ? this.sounds : this.videos)[index] = element;
      }
    }

    async join(number, name, extra = {}) {
      const reply = await this.ask({ join: { number, name, microphoneOn: true, cameraOn: true, ...extra } });
      this.me = reply.joined?.participantId;
      return reply;
    }

    command(op) {
      this.commands = (this.commands ?? 0) + 1;
      return this.ask({ command: { commandId: `raw-${Date.now()}-${this.commands}`, ...op } });
    }

    /** `slots`: [{use: 'video', index, source}] or {speaker: true}; sizes are given. */
    view(slots) {
      return this.ask({
        setView: { slots: slots.map(({ use = 'video', index, ...show }) => ({ use: USES[use], index, width: 640, height: 360, ...show })) },
      });
    }

    person(name) {
      return [...this.participants.values()].find((p) => p.name === name && p.connection !== 'CONNECTION_STATE_LEFT');
    }

    source(name, kind = 'SOURCE_KIND_CAMERA') {
      return this.person(name)?.sources?.find((s) => s.kind === kind)?.number;
    }

    /** Milliseconds until slot `index` shows `mark`, counted from now; throws after `patience`. */
    async untilShown(index, mark, patience = 8000) {
      const began = performance.now();
      const video = this.videos[index];
      return new Promise((done, fail) => {
        const timer = setTimeout(() => fail(new Error(`slot ${index} shows ${e2e.readMark(video)} and not ${mark}`)), patience);
        const look = () => {
          if (e2e.readMark(video) !== mark) return void video.requestVideoFrameCallback(look);
          clearTimeout(timer);
          done(performance.now() - began);
        };
        look();
      });
    }
  }
  return RawClient;
})()
