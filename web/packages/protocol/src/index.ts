// What crosses the wire between a page and `serve`: the generated messages of ../proto, and the two functions that
// turn them into text frames and back. Nothing here decides anything.

import { create, fromJson, fromJsonString, toJson, toJsonString, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf';
import { BootSchema, CreateConferenceRequestSchema, CreateConferenceResponseSchema, type Boot, type CreateConferenceResponse } from './gen/huitang/v1/api_pb';
import { ClientMessageSchema, ServerMessageSchema, type ServerMessage } from './gen/huitang/v1/signaling_pb';

export * from './gen/huitang/v1/enums_pb';
export * from './gen/huitang/v1/signaling_pb';
export type { Boot, CreateConferenceResponse } from './gen/huitang/v1/api_pb';

export type { JsonValue };

export const SUBPROTOCOL = 'huitang.v1';
export const PROTOCOL_VERSION = 1;

export type ClientMessageInit = MessageInitShape<typeof ClientMessageSchema>;

export function writeClientMessage(message: ClientMessageInit): string {
  return toJsonString(ClientMessageSchema, create(ClientMessageSchema, message));
}

/** Undefined for what is not a ServerMessage; unknown fields and enumerators are of a newer server and skipped. */
export function parseServerMessage(text: string): ServerMessage | undefined {
  try {
    return fromJsonString(ServerMessageSchema, text, { ignoreUnknownFields: true });
  } catch {
    return undefined;
  }
}

export function parseBoot(json: JsonValue): Boot {
  return fromJson(BootSchema, json, { ignoreUnknownFields: true });
}

export function writeCreateConferenceRequest(title: string): string {
  return JSON.stringify(toJson(CreateConferenceRequestSchema, create(CreateConferenceRequestSchema, { title })));
}

export function parseCreateConferenceResponse(json: JsonValue): CreateConferenceResponse {
  return fromJson(CreateConferenceResponseSchema, json, { ignoreUnknownFields: true });
}
