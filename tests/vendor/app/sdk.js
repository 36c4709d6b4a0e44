// A page with one client of the vendor's SDK: what it follows is kept, so that a test can wait for it.
import * as sdk from "@amityco/ts-sdk-react-native";

const followed = {};

/** Keeps the newest snapshot of a live object or collection under a name. */
function follow(name, start) {
  followed[name]?.stop();
  const entry = { snapshot: null, calls: [], stop: () => {} };
  followed[name] = entry;
  entry.stop = start((snapshot) => {
    entry.snapshot = snapshot;
    entry.calls.push(snapshot);
  });
  return entry;
}

window.sdk = sdk;
window.followed = followed;
window.follow = follow;
window.heard = {};
/** Keeps what an event observer of the SDK is told. */
window.hear = (name, observer) => {
  const told = [];
  window.heard[name] = told;
  return observer((...what) => told.push(what));
};
