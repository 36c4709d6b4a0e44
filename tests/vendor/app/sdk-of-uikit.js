// The Web UIKit 4.23 asks for SDK 7.27; on npm there is the React Native build 7.20. What it lacks stands here: names of
// constants, and calls of features that the sandbox has not, which say so.
import * as sdk from "@amityco/ts-sdk-react-native";

export * from "@amityco/ts-sdk-react-native";

export const AmityLiveViewerCountMode = {
  ALWAYS_SHOW: "alwaysShow",
  HIDE_ENTIRELY: "hideEntirely",
  SHOW_ABOVE_MINIMUM: "showAboveMinimum",
};
export const AmitySharableContentType = { POST: "post", EVENT: "event", USER: "user", COMMUNITY: "community" };
export const AmityChannelNotificationModeEnum = { Default: "default", Silent: "silent", Subscribe: "subscribe" };
export const UserNotificationModuleNameEnum = { CHAT: "chat", SOCIAL: "social", VIDEO_STREAMING: "video-streaming" };

class AmityForYouFeedDisabledError extends Error {}

const empty = (callback) => {
  callback({ data: [], loading: false, hasNextPage: false, error: undefined, onNextPage: () => {} });
  return () => {};
};
const absent = (name) => async () => {
  throw new Error(`SDK 7.20 has no ${name}`);
};

export const FeedRepository = {
  ...sdk.FeedRepository,
  AmityForYouFeedDisabledError,
  getForYouFeed: (_wish, callback) => {
    const error = new AmityForYouFeedDisabledError("the network has no For You feed");
    callback({ data: [], loading: false, hasNextPage: false, error });
    return () => {};
  },
};
export const ChannelRepository = {
  ...sdk.ChannelRepository,
  archiveChannel: absent("archiveChannel"),
  unarchiveChannel: absent("unarchiveChannel"),
  getArchivedChannels: (_wish, callback) => empty(callback),
  searchChannels: (_wish, callback) => empty(callback),
};
export const MessageRepository = { ...sdk.MessageRepository, searchMessage: (_wish, callback) => empty(callback) };
export const UserRepository = {
  ...sdk.UserRepository,
  searchUsers: sdk.UserRepository.searchUserByDisplayName,
};
export const InvitationRepository = {
  getMyCommunityInvitations: (_wish, callback) => empty(callback),
  ...sdk.InvitationRepository,
};
const notifications = () => ({
  user: () => ({ getSettings: async () => ({ isEnabled: false, modules: [] }) }),
  channel: () => ({ getSettings: async () => ({ isEnabled: false }) }),
  community: () => ({ getSettings: async () => ({ isEnabled: false, events: [] }) }),
});
const settings = {
  getForYouFeedSetting: async () => ({ forYouFeed: { enabled: false } }),
  getLiveViewerCountConfig: async () => ({ mode: AmityLiveViewerCountMode.ALWAYS_SHOW, threshold: 50 }),
  getCoreUserSettings: async () => ({}),
};
export const Client = {
  notifications,
  onVisitorUsageLimitReached: () => () => {},
  ...sdk.Client,
  createClient: (...wish) => Object.assign(sdk.Client.createClient(...wish), settings),
};
