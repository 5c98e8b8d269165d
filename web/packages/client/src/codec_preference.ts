// What the offer asks for. Pruned, because an offer of 28 lines with every codec of a browser is 150 kB.

/** Opus first, RED behind it (the node decides who gets redundancy). */
const AUDIO = ['audio/opus', 'audio/red'];
/** VP8 is what everyone decodes; its retransmissions come as RTX. */
const VIDEO = ['video/vp8', 'video/rtx'];

/** The wanted codecs of a browser in our order; empty when it has none of them (then nothing is pruned). */
export function preferredCodecs(kind: 'audio' | 'video', capabilities: RTCRtpCapabilities | undefined): RTCRtpCodec[] {
  const codecs = capabilities?.codecs ?? [];
  const wanted = kind === 'audio' ? AUDIO : VIDEO;
  const kept = wanted.flatMap((mime) => codecs.filter((codec) => codec.mimeType.toLowerCase() === mime));
  return kept.some((codec) => codec.mimeType.toLowerCase() === wanted[0]) ? kept : [];
}
