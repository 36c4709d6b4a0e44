import { WHIPClient } from "@eyevinn/whip-web-client";

window.golive = async (endpoint, key) => {
  const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  window.client = new WHIPClient({ endpoint, opts: { authkey: key } });
  await window.client.ingest(media);
  return window.client.getResourceUrl();
};
window.leave = () => window.client.destroy();
window.ready = true;
