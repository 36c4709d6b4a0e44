// The one heavy module: LiveKit's client, what watches by it, the HLS player and the chat's pane. Widgets ask for it
// through the Hub model, so that it travels once per page however many widgets there are.
import Hls from "hls.js";
import {
  ConnectionState,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoPreset,
  VideoPresets,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
} from "livekit-client";
import { ChatPane } from "./shared/chatPane";
import { announceHub } from "./shared/hub";
import { WebRtc } from "./shared/webrtc";

const hub = {
  ChatPane,
  ConnectionState,
  Hls,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoPreset,
  VideoPresets,
  WebRtc,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
};
export type Hub = typeof hub;

export {
  ChatPane,
  ConnectionState,
  Hls,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoPreset,
  VideoPresets,
  WebRtc,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
};

announceHub(hub);

export default { initialize() {} };
