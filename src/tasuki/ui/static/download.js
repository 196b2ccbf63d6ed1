/**
 * The download of an export in this tab. Its bytes are kept until all are here and are what the
 * server has written; before that nothing is offered as a file. It goes on while other pages of
 * the console are shown, and ends with the session.
 */

import { get, open, Problem } from "./api.js";
import { downloadPath, prepare } from "./export_order.js";
import { backoff, pause } from "./live.js";
import { canHash, faultOf, nameIn, Pieces, save } from "./pieces.js";
import { user } from "./session.js";
import { store } from "./store.js";

const MOST_BYTES = 256_000_000; // a page has its limits; the browser's own downloads have none
const LOOK_EVERY_MS = 1_000;
const SHOW_EVERY_MS = 100;
const SILENT_MS = 20_000; // a connection that is gone may never say so
const MOST_TRIES = 3;

/**
 * @typedef {import("./export_order.js").Order} Order
 * @typedef {{phase: "asking"|"receiving"|"checking"|"whole"|"broken"|"cancelled",
 *            name: string, received: number, run: any, reason: string, fault: string,
 *            problem: Problem|null,
 *            rest: "looking"|"kept"|"lost"|"unknown", isHashed: boolean}} Shown
 *   `run` is the server's record of it; `rest`, once it is broken: whether it can go on;
 *   `fault`: what is wrong though it seemed to be whole;
 *   `isHashed`, once it is whole: its SHA-256 was compared too
 */

/** @type {ReturnType<typeof store<Shown|null>>} */
export const download = store(null);

/** @type {Download|null} */
let current = null;

export const isBusy = () => ["asking", "receiving", "checking"].includes(download.get()?.phase);

/**
 * Begin a download; returns once there are bytes to come.
 *
 * @param {Order} order
 * @throws {Problem} why there are none, or that another one is under way
 */
export async function beginDownload(order) {
  if (isBusy()) throw underWay();
  current?.end();
  current = new Download(order);
  await current.begin();
}

export const cancelDownload = () => current.cancel();
export const goOn = () => void current.goOn();
export const beginAnew = () => void current.anew();
export const saveAgain = () => current.save();

/** Forget it. */
export function dismiss() {
  current?.end();
  current = null;
  download.set(null);
}

user.watch(dismiss);
window.addEventListener("beforeunload", (event) => isBusy() && event.preventDefault());

class Download {
  #order;
  #ending = new AbortController();
  #pieces = new Pieces();
  #file = null;
  #path = "";
  #etag = "";
  #shownAt = 0;
  #heardAt = 0;
  /** @type {Shown} */
  #shown = { received: 0, run: null, reason: "", fault: "", problem: null, rest: "looking" };

  constructor(order) {
    this.#order = order;
    this.#shown.name = `${order.filename ?? order.dataset}.${order.format}`;
  }

  async begin() {
    this.#show({ phase: "asking" });
    try {
      await this.#ask();
    } catch (error) {
      if (!this.#isOver) dismiss();
      throw error;
    }
  }

  end() {
    this.#ending.abort();
  }

  cancel() {
    this.#show({ phase: "cancelled" });
    this.end();
  }

  save() {
    save(this.#file, this.#shown.name);
  }

  /** Ask the server for it once more, from the first row. */
  async anew() {
    this.end();
    current = new Download(this.#order);
    await current.#retried(() => current.#ask());
  }

  /** Fetch what is missing from the file of its run. */
  async goOn() {
    await this.#retried(async () => {
      const run = await this.#madeAgain(await this.#outcome());
      const have = this.#pieces.size;
      if (restOf(run, have) !== "kept") return this.#settle(run);
      this.#show({ run });
      const headers = { Range: `bytes=${have}-`, "If-Range": this.#etag };
      const { response, cut } = await this.#open(`${this.#path}/file`, headers);
      const isRest = response.headers.get("Content-Range")?.startsWith(`bytes ${have}-`);
      if (!isRest) this.#pieces = new Pieces();
      await this.#receive(response, cut);
    });
  }

  get #isOver() {
    return this.#ending.signal.aborted;
  }

  async #ask() {
    const { response, cut } = await this.#open(downloadPath(this.#order));
    this.#path = `/exports/runs/${response.headers.get("X-Export-Id")}`;
    this.#etag = response.headers.get("ETag");
    this.#show({ name: nameIn(response.headers.get("Content-Disposition"), this.#shown.name) });
    void this.#quietly(() => this.#receive(response, cut));
  }

  async #open(path, headers) {
    const cut = new AbortController();
    const signal = AbortSignal.any([this.#ending.signal, cut.signal]);
    return { response: await open(path, { headers, signal }), cut };
  }

  /** Try something that begins to receive; the page says why, if it does not. */
  #retried(work) {
    this.#show({ phase: "asking", problem: null, reason: "", fault: "" });
    return this.#quietly(async () => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const rest = error.isPassing && this.#path ? "unknown" : "lost";
        this.#show({ phase: "broken", problem: error, rest });
      }
    });
  }

  /** What is under way when it is cancelled fails, and that is well. */
  async #quietly(work) {
    try {
      await work();
    } catch (error) {
      if (!this.#isOver) throw error;
    }
  }

  async #receive(response, cut) {
    this.#show({ phase: "receiving" });
    this.#heardAt = performance.now();
    void this.#quietly(() => this.#follow(cut));
    const reader = response.body.getReader();
    let isWhole = false;
    try {
      while (!isWhole) isWhole = await this.#read(reader);
    } catch {
      // It broke off. What is here is kept.
    } finally {
      cut.abort();
    }
    this.#show({ phase: isWhole ? "checking" : "broken", rest: "looking" });
    if (!this.#isOver) await this.#settle(await this.#outcome());
  }

  async #read(reader) {
    const { done, value } = await reader.read();
    if (done) return true;
    this.#pieces.add(value);
    this.#heardAt = performance.now();
    if (this.#heardAt - this.#shownAt > SHOW_EVERY_MS) this.#show({});
    return false;
  }

  /** While it comes: how far the server is; whether it becomes too large, or has fallen silent. */
  async #follow(cut) {
    while (!cut.signal.aborted && !this.#isOver) {
      await pause(LOOK_EVERY_MS, cut.signal);
      if (cut.signal.aborted) return;
      const isAtWork = (await this.#look(cut.signal)) === "running";
      if (Math.max(this.#pieces.size, this.#shown.run?.bytes ?? 0) > MOST_BYTES) {
        await this.#leaveToTask();
      } else if (!isAtWork && performance.now() - this.#heardAt > SILENT_MS) cut.abort();
    }
  }

  async #look(signal) {
    try {
      const run = await get(this.#path, { signal });
      if (!signal.aborted) this.#show({ run });
      return run.state;
    } catch (error) {
      if (error instanceof Problem || signal.aborted) return "unknown";
      throw error;
    }
  }

  /** The record of its run, once it has ended; null if it cannot be had. */
  async #outcome() {
    const { signal } = this.#ending;
    for (let failures = 0; failures < MOST_TRIES; ) {
      try {
        const run = await get(this.#path, { signal });
        if (run.state !== "running") return run;
        failures = 0;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (!error.isPassing) return { state: "failed", error: error.message };
        failures += 1;
      }
      await pause(failures ? backoff(failures) : LOOK_EVERY_MS, signal);
    }
    return null;
  }

  /** The server gives up what nobody waits for; asked for its file, it makes that again. */
  async #madeAgain(run) {
    if (run?.state !== "failed" || !run.is_to_be_had) return run;
    try {
      await this.#open(`${this.#path}/file`, { Range: "bytes=0-0" });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 503) throw error;
    }
    return this.#outcome();
  }

  /** All that came is here: is it all there is? */
  async #settle(run) {
    const have = this.#pieces.size;
    const rest = restOf(run, have);
    if (run?.state !== "complete" || rest === "kept") {
      this.#show({ phase: "broken", rest, run: run ?? this.#shown.run, reason: run?.error ?? "" });
      return;
    }
    this.#show({ phase: "checking", run });
    const file = this.#pieces.together();
    const fault = await faultOf(file, run);
    if (this.#isOver) return;
    if (fault) this.#show({ phase: "broken", rest: "lost", fault });
    else {
      this.#file = file;
      this.#show({ phase: "whole", isHashed: canHash(file) });
      this.save();
    }
  }

  async #leaveToTask() {
    this.end();
    try {
      await prepare(this.#order, { isLarge: true });
      dismiss();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#ending = new AbortController();
      this.#show({ phase: "broken", rest: "lost", problem: error });
    }
  }

  #show(news) {
    if (this.#isOver || current !== this) return;
    this.#shownAt = performance.now();
    this.#shown = { ...this.#shown, ...news, received: this.#pieces.size };
    download.set(this.#shown);
  }
}

/** Whether what is missing can still be fetched. */
function restOf(run, have) {
  if (run === null) return "unknown";
  const isThere = run.state === "complete" ? run.bytes > have : run.is_to_be_had;
  return isThere ? "kept" : "lost";
}

function underWay() {
  return new Problem({
    status: 409,
    code: "under_way",
    title: "A download is under way",
    detail: "Wait until it has ended, or cancel it. A task can be ordered meanwhile.",
  });
}
