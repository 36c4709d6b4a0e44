// What the SDK's own types say of the service's answers and events, by the names that `types.mjs` finds for them.
/// <reference path="../node_modules/@amityco/ts-sdk-react-native/dist/@types/index.d.ts" />
/// <reference path="../node_modules/@amityco/ts-sdk-react-native/dist/@types/global.d.ts" />
export type Answers = {
  ads: Amity.AdPayload;
  categories: Amity.CategoryPayload;
  channelMarkers: Amity.ChannelMarkerPayload;
  channels: Amity.ChannelPayload;
  comments: Amity.CommentPayload;
  communities: Amity.CommunityPayload;
  contentMarkers: Amity.MessageMarkerPayload;
  events: Amity.EventPayload;
  feedMarkers: Amity.SubChannelMarkerPayload;
  feeds: Amity.SubChannelPayload;
  feedSettings: Amity.FeedSettingPayload;
  file: Amity.FilePayload;
  followInfo: Amity.FollowInfoPayload;
  follows: Amity.FollowersPayload;
  invitations: Amity.InvitationPayload;
  joinRequests: Amity.CommunityJoinRequestPayload;
  markerSync: Amity.MarkerSyncPayload;
  messages: Amity.MessagePayload;
  pins: { pins: Amity.RawPin[] } & Amity.PostPayload;
  polls: Amity.PollPayload;
  posts: Amity.PostPayload;
  presence: Amity.PresenceSettingPayload;
  products: Amity.ProductPayload;
  reached: Amity.ReadUserPayload;
  reactions: Amity.ReactionPayload;
  roles: Amity.RolePayload;
  rooms: Amity.RoomPayload;
  rsvps: Amity.EventResponsePayload;
  searchedCommunities: Amity.SemanticSearchCommunityPayload;
  searchedPosts: Amity.SemanticSearchPostPayload;
  tray: Amity.NotificationTrayPayload;
  traySeen: Amity.NotificationTraySeenPayload;
  users: Amity.UserPayload;
};
export type Events = Omit<Amity.MqttRTE, "liveReaction.created"> & {
  "liveReaction.created": Amity.LiveReactionPayload;
  "poll.updated": Amity.PollPayload;
  "poll.deleted": Amity.PollPayload;
};
