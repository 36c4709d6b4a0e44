// An RTSP server of others: who announces a stream at the first port is watched at the second, by UDP alone.
const Server = require('rtsp-streaming-server').default;
const [serverPort, clientPort, rtpPortStart] = process.argv.slice(2).map(Number);
new Server({ serverPort, clientPort, rtpPortStart, rtpPortCount: 100 }).start().then(() => console.log('ready'));
