/** The socket of one room: it comes back by itself, and notices when the server has gone. */

import { get, roomSocketHref } from "./api.js";
import { reporter } from "./connection.js";
import { backoff } from "./live.js";

const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const GONE = { 4403: "You do not belong to this room any more.", 4404: "There is no such room." };
const isForGood = (code) => code >= 3500 && code < 4000;

/**
 * @typedef {{begun: () => void, frame: (frame: any) => void, lost: () => void,
 *            ended: (why: string, mayComeBack: boolean) => void}} RoomListener
 *   `begun`: from here on everything is heard that is said; `ended`: it does not come back by
 *   itself, as it was sent away (`mayComeBack`) or may not be there
 */
export class RoomSocket {
  #socket = null;
  #isBegun = false;
  #isEnded = false;
  #failures = 0;
  #timer = 0; // of the next try, or of the next ping
  #deadline = 0; // of the answer to a ping
  #report = reporter();

  /**
   * @param {string} room
   * @param {RoomListener} on
   * @param {AbortSignal} signal
   */
  constructor(room, on, signal) {
    this.room = room;
    this.on = on;
    this.signal = signal;
    signal.addEventListener("abort", () => this.#close(""));
    // A connection that the network took with it may look open for minutes.
    for (const change of ["online", "offline"]) {
      window.addEventListener(change, () => this.#isEnded || this.open(), { signal });
    }
    this.open();
  }

  /** Whether what is sent now can be expected to arrive. */
  get isOpen() {
    return this.#isBegun;
  }

  send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** Open it, or open it anew. */
  open() {
    if (this.signal.aborted) return;
    this.#isEnded = false;
    const isAnew = this.#socket !== null;
    this.#close("reconnecting");
    if (isAnew) this.on.lost();
    const socket = new WebSocket(roomSocketHref(this.room));
    this.#socket = socket;
    const ours = (fn) => (event) => socket === this.#socket && fn(event);
    socket.addEventListener("open", ours(() => this.#ping()));
    socket.addEventListener("message", ours((event) => this.#take(JSON.parse(event.data))));
    socket.addEventListener("close", ours((event) => this.#failed(event.code)));
  }

  /** The first answer says that the room is heard, all later ones that the server is there. */
  #ping() {
    clearTimeout(this.#timer);
    this.send({ type: "ping" });
    this.#deadline = setTimeout(() => this.#failed(0), PONG_WITHIN_MS);
  }

  #take(frame) {
    if (frame.type !== "pong") {
      this.on.frame(frame);
      return;
    }
    clearTimeout(this.#deadline);
    this.#timer = setTimeout(() => this.#ping(), PING_EVERY_MS);
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#failures = 0;
    this.#report("live");
    this.on.begun();
  }

  #failed(code) {
    const isEnd = code in GONE || isForGood(code);
    this.#close(isEnd ? "" : "reconnecting");
    this.on.lost();
    this.#isEnded = isEnd;
    if (isEnd) {
      this.on.ended(GONE[code] ?? "An admin ended this connection.", !(code in GONE));
      return;
    }
    this.#timer = setTimeout(() => void this.#again(), backoff(this.#failures));
    this.#failures += 1;
  }

  async #again() {
    // Whoever is not signed in any more learns it from this.
    await get("/auth/me", { signal: this.signal }).catch(() => {});
    if (!this.#socket) this.open();
  }

  #close(state) {
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    const socket = this.#socket;
    this.#socket = null;
    this.#isBegun = false;
    socket?.close();
    this.#report(state);
  }
}
