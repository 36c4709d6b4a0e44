// The one heavy module: LiveKit's client, what watches by it, the HLS player, the chat's pane and the recording's player. Widgets ask for it
// through the Hub model, so that it travels once per page however many widgets there are.
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
import recordingPlayer from "./recordingPlayer";
import { cameraTab } from "./shared/cameraTab";
import { ChatPane } from "./shared/chatPane";
import { announceHub } from "./shared/hub";
import { NearHls as Hls } from "./shared/nearHls";
import { heedOwnFullScreen } from "./shared/ownFullScreen";
import { PortRoom } from "./shared/portRoom";
import { ScreenOnAir } from "./shared/screenOnAir";
import { Shortcut } from "./shared/shortcut";

const hub = {
  ChatPane,
  ConnectionState,
  Hls,
  LocalAudioTrack,
  LocalVideoTrack,
  PortRoom,
  Room,
  RoomEvent,
  ScreenOnAir,
  Shortcut,
  Track,
  VideoPreset,
  VideoPresets,
  cameraTab,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
  recordingPlayer,
};
export type Hub = typeof hub;

export {
  ChatPane,
  ConnectionState,
  Hls,
  LocalAudioTrack,
  LocalVideoTrack,
  PortRoom,
  Room,
  RoomEvent,
  ScreenOnAir,
  Shortcut,
  Track,
  VideoPreset,
  VideoPresets,
  cameraTab,
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
  recordingPlayer,
};

announceHub(hub);
heedOwnFullScreen();

export default { initialize() {} };
