export class HttpsAgent {}
export default class HttpAgent {}
