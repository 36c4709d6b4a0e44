// The one heavy module: LiveKit's client and the HLS player. Widgets ask for it through the Hub model, so that it
// travels once per page however many widgets there are.
import Hls from "hls.js";
import {
  ConnectionState,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoPresets,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
} from "livekit-client";
import { announceHub } from "./shared/hub";

const hub = {
  ConnectionState,
  Hls,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoPresets,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
};
export type Hub = typeof hub;

export {
  ConnectionState,
  Hls,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoPresets,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
};

announceHub(hub);

export default { initialize() {} };
