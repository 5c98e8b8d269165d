// Runs in every page of a test before the page's own scripts: replaces camera, microphone and screen by marked
// pictures and tones, counts what the page does with WebRTC, and reads marks and tones of what it is shown.
//
// The mark (README.md): the top eighth of a picture is 16 cells, black or white: white black white, ten bits of id,
// three bits of id mod 7. Evaluated by evaluateOnNewDocument with one argument, the settings of lib/participant.mjs.
(settings) => {
  'use strict';
  if (window.e2e) return;

  const CELLS = 16;
  const MARK_HEIGHT = 1 / 8;

  // --- what we send -------------------------------------------------------------------------------------------

  function markCells(id) {
    const bits = [1, 0, 1];
    for (let i = 9; i >= 0; --i) bits.push((id >> i) & 1);
    for (let i = 2; i >= 0; --i) bits.push(((id % 7) >> i) & 1);
    return bits;
  }

  function drawMark(context, id, width, height) {
    markCells(id).forEach((bit, i) => {
      context.fillStyle = bit ? '#ebebeb' : '#101010';
      const left = Math.round((i * width) / CELLS);
      context.fillRect(left, 0, Math.round(((i + 1) * width) / CELLS) - left, Math.round(height * MARK_HEIGHT));
    });
  }

  /** A canvas with the mark and something that moves. `flash` may tell when the bottom eighth is white. */
  function markedTrack({ id, width = 640, height = 360, fps = 20, flash }) {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d', { alpha: false });
    let frame = 0;
    const draw = () => {
      ++frame;
      context.fillStyle = `hsl(${(id * 47) % 360} 45% 45%)`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = '#ddd';
      const x = (frame * 5) % width;
      context.fillRect(x, height * 0.3, width / 12, height * 0.3);
      context.font = `${Math.round(height / 9)}px sans-serif`;
      context.fillText(`${id} / ${frame}`, width * 0.1, height * 0.78);
      if (flash) {
        context.fillStyle = flash(performance.now()) ? '#ebebeb' : '#101010';
        context.fillRect(0, height * 7 / 8, width, height / 8);
      }
      drawMark(context, id, width, height);
    };
    draw();
    const stream = canvas.captureStream(fps);
    const timer = setInterval(draw, 1000 / fps);
    const track = stream.getVideoTracks()[0];
    const stop = track.stop.bind(track);
    track.stop = () => {
      clearInterval(timer);
      stop();
    };
    return track;
  }

  let audioContext;
  function audio() {
    audioContext ??= new AudioContext({ sampleRate: 48000 });
    if (audioContext.state === 'suspended') void audioContext.resume();
    return audioContext;
  }

  const gains = [];
  const delays = [];
  /** A sine of -12 dBFS; with settings.sweep one whose pitch tells the time (lib/continuity.mjs). */
  function toneTrack(frequency) {
    const context = audio();
    const oscillator = new OscillatorNode(context, { frequency });
    if (settings.sweep) sweepPitch(oscillator.frequency, settings.sweep, context.currentTime);
    const gain = new GainNode(context, { gain: 0.25 });
    const delay = new DelayNode(context, { delayTime: 0, maxDelayTime: 1 });
    const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    oscillator.connect(gain).connect(delay).connect(out);
    oscillator.start();
    gains.push(gain);
    delays.push(delay);
    return out.stream.getAudioTracks()[0];
  }

  /** Up from `low` by `rate` hertz a second for `seconds`, down again, and so on: half an hour is planned ahead. */
  function sweepPitch(pitch, { low, rate, seconds }, begin) {
    pitch.setValueAtTime(low, begin);
    for (let k = 1; k * seconds < 1800; ++k) pitch.linearRampToValueAtTime(k % 2 ? low + rate * seconds : low, begin + k * seconds);
  }

  async function fakeUserMedia(constraints = {}) {
    e2e.counters.getUserMedia++;
    const stream = new MediaStream();
    if (constraints.audio) stream.addTrack(toneTrack(settings.tone));
    if (constraints.video) stream.addTrack(markedTrack({ id: settings.mark, ...settings.video }));
    return stream;
  }

  async function fakeDisplayMedia(constraints = {}) {
    e2e.counters.getDisplayMedia++;
    const stream = new MediaStream([markedTrack({ id: settings.screenMark, width: 1280, height: 720, fps: 10 })]);
    if (constraints.audio) stream.addTrack(toneTrack(settings.screenTone));
    return stream;
  }

  // --- what we are shown --------------------------------------------------------------------------------------

  const strip = document.createElement('canvas');
  strip.width = 160;
  strip.height = 8;
  const stripContext = strip.getContext('2d', { willReadFrequently: true });

  function meanLuma(pixels, stride, left, right, top, bottom) {
    let sum = 0;
    for (let y = top; y < bottom; ++y)
      for (let x = left; x < right; ++x) {
        const at = (y * stride + x) * 4;
        sum += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
      }
    return sum / ((right - left) * (bottom - top));
  }

  /** The id of the mark in a <video> (or anything drawable of that size), or null. */
  function readMark(video, width = video.videoWidth, height = video.videoHeight) {
    if (!width || !height) return null;
    stripContext.drawImage(video, 0, 0, width, height * MARK_HEIGHT, 0, 0, strip.width, strip.height);
    const { data } = stripContext.getImageData(0, 0, strip.width, strip.height);
    const bits = [];
    for (let i = 0; i < CELLS; ++i) bits.push(meanLuma(data, strip.width, i * 10 + 3, i * 10 + 7, 2, 6) > 128 ? 1 : 0);
    const number = (from, to) => bits.slice(from, to).reduce((value, bit) => value * 2 + bit, 0);
    const id = number(3, 13);
    return number(0, 3) === 5 && number(13, 16) === id % 7 && id !== 0 ? id : null;
  }

  /** Mean luma of the middle of the bottom eighth: the flash of a clap. */
  function readFlash(video) {
    if (!video.videoWidth) return 0;
    const { videoWidth: w, videoHeight: h } = video;
    stripContext.drawImage(video, 0, h * 7 / 8, w, h / 8, 0, 0, strip.width, strip.height);
    return meanLuma(stripContext.getImageData(0, 0, strip.width, strip.height).data, strip.width, 20, 140, 2, 6);
  }

  /** One meter for each remote audio track. */
  const meters = new Map();
  function meterOf(track) {
    let meter = meters.get(track);
    if (meter) return meter;
    const context = audio();
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    source.connect(analyser);
    meter = { analyser, source, samples: new Float32Array(8192) };
    meters.set(track, meter);
    return meter;
  }

  function remoteAudioTracks() {
    return peers.flatMap((peer) => peer.getReceivers().map((r) => r.track).filter((t) => t?.kind === 'audio'));
  }

  /** Amplitude in dBFS of one frequency by Goertzel's algorithm under a Hann window. */
  function levelOf(samples, frequency, rate) {
    const coefficient = 2 * Math.cos((2 * Math.PI * frequency) / rate);
    let s1 = 0;
    let s2 = 0;
    const n = samples.length;
    for (let i = 0; i < n; ++i) {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n);
      const s0 = samples[i] * window + coefficient * s1 - s2;
      s2 = s1;
      s1 = s0;
    }
    const power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    return 20 * Math.log10(Math.max(1e-7, (4 * Math.sqrt(Math.max(0, power))) / n));
  }

  /** For each frequency the loudest level in dBFS among all remote tracks, over the last 170 ms. */
  function hear(frequencies) {
    const best = frequencies.map(() => -140);
    for (const track of remoteAudioTracks()) {
      const meter = meterOf(track);
      meter.analyser.getFloatTimeDomainData(meter.samples);
      frequencies.forEach((frequency, i) => {
        best[i] = Math.max(best[i], levelOf(meter.samples, frequency, audioContext.sampleRate));
      });
    }
    return best;
  }

  /** Loudest level of each frequency seen over a time. */
  async function hearFor(frequencies, milliseconds) {
    const best = frequencies.map(() => -140);
    const end = performance.now() + milliseconds;
    do {
      hear(frequencies).forEach((level, i) => (best[i] = Math.max(best[i], level)));
      await new Promise((done) => setTimeout(done, 60));
    } while (performance.now() < end);
    return best;
  }

  // --- recording what is heard --------------------------------------------------------------------------------

  /**
   * The sum of all remote sounds, sample by sample, as a person hears it. An analyser keeps the last 0.68 s whatever
   * the page is busy with; it is read every 0.2 s, and neighbouring readings are joined where they are the same.
   * What could not be joined (the page stood still for too long) counts as `missed`, never as a gap of the sound.
   */
  class Recorder {
    constructor() {
      const context = audio();
      this.analyser = new AnalyserNode(context, { fftSize: 32768, smoothingTimeConstant: 0 });
      this.heard = new Set();
      this.parts = [];
      this.missed = 0;
      this.newest = new Float32Array(this.analyser.fftSize);
      this.sources = [];
      this.read();
      this.timer = setInterval(() => this.read(), 200);
    }

    listen() {
      for (const track of remoteAudioTracks()) {
        if (this.heard.has(track)) continue;
        this.heard.add(track);
        const source = audio().createMediaStreamSource(new MediaStream([track]));
        source.connect(this.analyser);
        this.sources.push(source);
      }
    }

    read() {
      this.listen();
      const before = this.newest;
      const now = new Float32Array(before.length);
      const at = audio().currentTime;
      this.analyser.getFloatTimeDomainData(now);
      const expected = Math.round((at - this.at) * audio().sampleRate);
      if (this.at === undefined) this.parts.push({ samples: now });
      else this.append(before, now, expected);
      this.newest = now;
      this.at = at;
    }

    append(before, now, expected) {
      const fresh = freshSamples(before, now, expected);
      if (fresh === undefined) {
        this.missed += Math.max(0, expected - now.length);
        this.parts.push({ samples: now, cut: true });
      } else if (fresh > 0) {
        this.parts.push({ samples: now.slice(now.length - fresh) });
      }
    }

    /** Joined pieces as 16-bit samples in base64. */
    stop() {
      this.read();
      clearInterval(this.timer);
      for (const source of this.sources) source.disconnect();
      const pieces = [];
      for (const { samples, cut } of this.parts) {
        if (cut || pieces.length === 0) pieces.push([]);
        pieces[pieces.length - 1].push(samples);
      }
      return { rate: audio().sampleRate, missed: this.missed, pieces: pieces.map(to16Bit) };
    }
  }

  /**
   * How many samples of `now` are newer than `before`: where the end of `before` stands in `now`, nearest to
   * `expected`. Undefined when it is nowhere. Silence looks alike everywhere, so there the clock decides.
   */
  function freshSamples(before, now, expected) {
    const mark = before.subarray(before.length - 256);
    if (mark.every((sample) => sample === 0)) return expected <= now.length ? Math.max(0, expected) : undefined;
    const isAt = (fresh) => {
      const start = now.length - fresh - mark.length;
      if (start < 0 || fresh < 0) return false;
      for (let i = 0; i < mark.length; ++i) if (now[start + i] !== mark[i]) return false;
      return true;
    };
    for (let off = 0; off <= 12_000; ++off) {
      if (isAt(expected + off)) return expected + off;
      if (isAt(expected - off)) return expected - off;
    }
    return undefined;
  }

  function to16Bit(parts) {
    const out = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) for (const sample of part) out[at++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    const bytes = new Uint8Array(out.buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  }

  /** Sums over all receiving audio lines of all connections: what the jitter buffers made up, and what was lost. */
  async function soundFigures() {
    const sum = { concealed: 0, received: 0, lost: 0 };
    for (const peer of peers) {
      if (peer.connectionState === 'closed') continue;
      for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp' || report.kind !== 'audio') continue;
        sum.concealed += (report.concealedSamples ?? 0) - (report.silentConcealedSamples ?? 0);
        sum.received += report.packetsReceived ?? 0;
        sum.lost += report.packetsLost ?? 0;
      }
    }
    return sum;
  }

  /** What the camera has sent so far, by layer: bytes and frames. */
  async function sentLayers() {
    const layers = {};
    for (const peer of peers) {
      if (peer.connectionState === 'closed') continue;
      for (const report of (await peer.getStats()).values())
        if (report.type === 'outbound-rtp' && report.kind === 'video' && report.rid)
          layers[report.rid] = { bytes: report.bytesSent ?? 0, frames: report.framesEncoded ?? report.framesSent ?? 0 };
    }
    return layers;
  }

  function tiles() {
    return [...document.querySelectorAll('[data-testid="tile"]')].map((element) => {
      const video = element.querySelector('video');
      const box = element.getBoundingClientRect();
      return {
        participant: element.dataset.participant,
        source: element.dataset.source,
        name: element.dataset.name,
        muted: element.dataset.muted,
        mark: video ? readMark(video) : null,
        width: box.width,
        height: box.height,
        videoWidth: video?.videoWidth ?? 0,
      };
    });
  }

  // --- lip sync -----------------------------------------------------------------------------------------------

  /**
   * Times of flashes in a video and of tone onsets in an audio track over `milliseconds`, both on performance.now().
   * A flash is stamped when its frame goes to the screen; an onset by its place among the samples and by when the
   * device gives those out, since a person hears the loudspeaker and not the graph.
   */
  async function clapTimes(video, track, milliseconds) {
    const flashes = [];
    const onsets = [];
    let wasWhite = true;
    let frameCount = 0;
    let watching = true;
    const onFrame = (now, frame) => {
      if (!watching) return;
      ++frameCount;
      const isWhite = readFlash(video) > 128;
      if (isWhite && !wasWhite) flashes.push(frame.presentationTime ?? now);
      wasWhite = isWhite;
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);

    // The buffer holds 0.68 s and is read every 0.25 s, so a busy page misses no onset.
    const context = audio();
    const analyser = new AnalyserNode(context, { fftSize: 32768, smoothingTimeConstant: 0 });
    const source = context.createMediaStreamSource(new MediaStream([track]));
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const end = performance.now() + milliseconds;
    const clockGaps = [];  // performance.now() minus context time of what the device gives out
    let lastLoud = context.currentTime;
    for (let turn = 0; performance.now() < end; ++turn) {
      const output = context.getOutputTimestamp();
      if (output.performanceTime > 0) clockGaps.push(output.performanceTime - output.contextTime * 1000);
      await new Promise((done) => setTimeout(done, 25));
      if (turn % 10 !== 9) continue;
      const newest = context.currentTime;
      analyser.getFloatTimeDomainData(samples);
      for (let i = 0; i < samples.length; ++i) {
        if (Math.abs(samples[i]) < 0.05) continue;
        const at = newest - (samples.length - i) / context.sampleRate;
        if (at - lastLoud > 0.3) onsets.push(at);
        lastLoud = Math.max(at, lastLoud);
      }
    }
    watching = false;
    source.disconnect();
    const clockGap = clockGaps.sort((a, b) => a - b)[clockGaps.length >> 1];
    return { flashes, onsets: onsets.map((at) => at * 1000 + clockGap), frames: frameCount };
  }

  /** Sound after picture in milliseconds, one value a clap (negative: sound first). */
  async function clapOffsets(video, track, milliseconds) {
    const { flashes, onsets, frames: shown } = await clapTimes(video, track, milliseconds);
    e2e.lastClaps = { flashes, onsets, shown };
    return flashes.flatMap((flash) => {
      const nearest = onsets.reduce((a, b) => (Math.abs(b - flash) < Math.abs(a - flash) ? b : a), Infinity);
      return Number.isFinite(nearest) && Math.abs(nearest - flash) < 500 ? [nearest - flash] : [];
    });
  }

  // --- counting -----------------------------------------------------------------------------------------------

  const peers = [];
  const counters = {
    peerConnections: 0,
    createOffer: 0,
    createAnswer: 0,
    setLocalDescription: 0,
    setRemoteDescription: 0,
    getUserMedia: 0,
    getDisplayMedia: 0,
    webSockets: 0,
  };
  const OriginalPeer = window.RTCPeerConnection;
  if (OriginalPeer) {
    window.RTCPeerConnection = class RTCPeerConnection extends OriginalPeer {
      constructor(...args) {
        super(...args);
        counters.peerConnections++;
        peers.push(this);
      }
      createOffer(...args) {
        counters.createOffer++;
        return super.createOffer(...args);
      }
      createAnswer(...args) {
        counters.createAnswer++;
        return super.createAnswer(...args);
      }
      setLocalDescription(...args) {
        counters.setLocalDescription++;
        return super.setLocalDescription(...args);
      }
      setRemoteDescription(...args) {
        counters.setRemoteDescription++;
        return super.setRemoteDescription(...args);
      }
    };
  }
  const frames = { sent: [], received: [] };
  const OriginalSocket = window.WebSocket;
  window.WebSocket = class WebSocket extends OriginalSocket {
    constructor(...args) {
      super(...args);
      counters.webSockets++;
      this.addEventListener('message', (event) => {
        keep(frames.received, event.data);
        note(event.data);
      });
    }
    send(data) {
      keep(frames.sent, data);
      super.send(e2e.alterSent ? e2e.alterSent(data) : data);
    }
  };
  // What outlives the list of frames: resumed sessions, and the whole state that was told last.
  const signaling = { resumes: 0, joins: 0, states: 0, state: undefined };
  function note(data) {
    if (typeof data !== 'string' || !/"(welcome|state|joined)"/.test(data)) return;
    const message = JSON.parse(data);
    if (message.welcome?.resumed) signaling.resumes++;
    if (message.joined) signaling.joins++;
    const state = message.state ?? message.joined?.state;
    if (state === undefined) return;
    signaling.states++;
    signaling.state = state;
  }
  /**
   * Looks every 40 ms whether these tones are heard; `heardAt` has for each the looks at which it was: when (Date.now), and
   * the how many-eth it was. A page that stands still for a while looks later, which is no silence.
   */
  function watchTones(frequencies) {
    const heardAt = frequencies.map(() => []);
    let look = 0;
    const timer = setInterval(() => {
      ++look;
      hear(frequencies).forEach((level, i) => level > -30 && heardAt[i].push({ at: Date.now(), look }));
    }, 40);
    return { heardAt, stop: () => (clearInterval(timer), heardAt) };
  }

  function keep(list, data) {
    if (typeof data !== 'string') return;
    list.push(data);
    if (list.length > 500) list.shift();
  }

  const errors = [];
  window.addEventListener('error', (event) => errors.push(String(event.message)));
  window.addEventListener('unhandledrejection', (event) => errors.push(String(event.reason)));

  // --- names follow pictures ----------------------------------------------------------------------------------

  /** Notes for each new frame of a tile's video the mark in it and the name shown with it, until stopped. */
  function watchNames(tile) {
    const video = tile.querySelector('video');
    const seen = [];
    let watching = true;
    const onFrame = (now) => {
      if (!watching) return;
      seen.push({ at: now, mark: readMark(video), name: tile.dataset.name });
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    return {
      stop() {
        watching = false;
        return seen;
      },
    };
  }

  const e2e = {
    settings,
    counters,
    frames,
    signaling,
    errors,
    peers,
    gains,
    delays,
    markedTrack,
    toneTrack,
    readMark,
    readFlash,
    hear,
    hearFor,
    tiles,
    soundFigures,
    sentLayers,
    record() {
      e2e.recorder = new Recorder();
    },
    clapOffsets,
    watchNames,
    watchTones,
    /** A planted fault: changes what the page sends. */
    alterSent: undefined,
    watches: new Map(),
    remoteAudioTracks,
    loudness(value) {
      for (const gain of gains) gain.gain.value = value;
    },
    /** Position of a video element's track among the receiving video lines of the one peer. */
    slotOf(video) {
      const track = video.srcObject?.getVideoTracks()[0];
      const slots = peers[peers.length - 1]
        .getTransceivers()
        .filter((t) => t.receiver.track.kind === 'video' && t.direction === 'recvonly');
      return slots.findIndex((t) => t.receiver.track === track || t.receiver.track.id === track?.id);
    },
  };
  window.e2e = e2e;
  if (navigator.mediaDevices) {
    const replace = (name, value) => Object.defineProperty(MediaDevices.prototype, name, { value, configurable: true, writable: true });
    replace('getUserMedia', fakeUserMedia);
    replace('getDisplayMedia', fakeDisplayMedia);
  }
};
