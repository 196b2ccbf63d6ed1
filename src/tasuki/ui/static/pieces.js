/** The bytes of a file that is still on its way, and what it must be once it is here. */

const FOLD_BYTES = 8_000_000; // what is folded into a blob a browser may keep on disk
const MOST_HASHED = 64_000_000; // hashing takes the whole file into memory at once

/** Bytes in their order. */
export class Pieces {
  #blobs = [];
  #fresh = [];
  #freshSize = 0;
  size = 0;

  /** @param {Uint8Array} bytes */
  add(bytes) {
    this.#fresh.push(bytes);
    this.#freshSize += bytes.length;
    this.size += bytes.length;
    if (this.#freshSize >= FOLD_BYTES) this.#fold();
  }

  /** @returns {Blob} all of them */
  together() {
    this.#fold();
    return new Blob(this.#blobs, { type: "application/octet-stream" });
  }

  #fold() {
    this.#blobs.push(new Blob(this.#fresh));
    this.#fresh = [];
    this.#freshSize = 0;
  }
}

/**
 * What is wrong with a file that has all bytes, by the record of its export; "" if nothing is.
 *
 * @param {Blob} file
 * @param {{bytes: number, sha256: string}} run a complete one
 */
export async function faultOf(file, run) {
  if (run.bytes !== file.size) return "It is longer.";
  const sum = canHash(file) ? await sha256(file) : run.sha256;
  return sum === run.sha256 ? "" : "Its SHA-256 is another.";
}

/** Whether its SHA-256 can be looked at; on plain http away from localhost it cannot. */
export const canHash = (file) => Boolean(crypto.subtle) && file.size <= MOST_HASHED;

async function sha256(file) {
  const sum = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Let the browser save a file. */
export function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // it may have to ask where to first
}

/** The name in a `Content-Disposition` of ours (RFC 6266), or another one. */
export function nameIn(disposition, otherwise) {
  const told = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? "")?.[1];
  return told ? decodeURIComponent(told) : otherwise;
}
