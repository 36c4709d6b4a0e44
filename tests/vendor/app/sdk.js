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

window.told = [];
/** Notes what the service says, `[name, JSON]`, before the SDK works on it. */
window.note = (name, value) => window.told.push([name, JSON.stringify(value)]);
const parse = JSON.parse;
JSON.parse = (...given) => {
  const value = parse(...given);
  // An event of MQTT: the SDK takes it as it is.
  if (value?.eventType && value.networkId && value.data) window.note(value.eventType, value.data);
  return value;
};

window.called = new Set();
/** The SDK with a note of each function that is called, by its name in the SDK: `RoomRepository.getRoom`. */
function noted(what, name) {
  if (typeof what === "function") {
    if (/^class\b/.test(Function.prototype.toString.call(what))) return what;
    window.functions.push(name);
    return new Proxy(what, { apply: (it, self, given) => (window.called.add(name), Reflect.apply(it, self, given)) });
  }
  if (typeof what !== "object" || what === null || Array.isArray(what)) return what;
  return Object.fromEntries(
    Object.entries(what).map(([key, value]) => [key, noted(value, name ? `${name}.${key}` : key)]),
  );
}
window.functions = [];
window.sdk = noted(sdk, "");
window.followed = followed;
window.follow = follow;
window.heard = {};
/** Keeps what an event observer of the SDK is told. */
window.hear = (name, observer) => {
  const told = [];
  window.heard[name] = told;
  return observer((...what) => told.push(what));
};
