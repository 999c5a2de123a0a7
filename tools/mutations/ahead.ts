// SPDX-License-Identifier: Apache-2.0
// Encryption before the request.
import type { Row } from "./row.ts";

export const ahead: readonly Row[] = [
  [
    "ahead",
    "kernel/record-store",
    "before the request: records of the store have nonces of the link's",
    "  j.nonce = OF_STORE | given;",
    "  j.nonce = given;",
    "invariant nonce-used-once",
  ],
  [
    "ahead",
    "card/control",
    "before the request: a record of the store is sealed once more",
    "const done = (j.flags & FROM_STORE) != 0 || sealedByHost(j);",
    "const done = sealedByHost(j);",
    "invariant nonce-used-once",
  ],
  [
    "ahead",
    "kernel/record-store",
    "before the request: a record goes out although its page was written",
    "  return stateOf(pfn) == KEPT && !has(written, pfn);",
    "  return stateOf(pfn) == KEPT;",
    "invariant mark-cleared-before-read",
  ],
  [
    "ahead",
    "kernel/record-store",
    "before the request: records that are being made have no room of their own",
    "  if (used + (<u64>beingMade + 1) * ROOM <= p(0, S_STORE_BYTES)) return from;",
    "  if (used + ROOM <= p(0, S_STORE_BYTES)) return from;",
    "ahead: bytes of the store",
  ],
  [
    "ahead",
    "card/framer",
    "before the request: the nonce behind a header is not counted",
    "  const total = recordBytes(j.bytes, tagBytes()) + extra;",
    "  const total = recordBytes(j.bytes, tagBytes());",
    "invariant record-authentic",
  ],
  [
    "ahead",
    "card/framer",
    "before the request: the header on the wire has the nonce in place of the number",
    "    if (extra != 0) store<u32>(header, r.base, 4);",
    "    if (extra == 0) store<u32>(header, <u32>r.nonce, 4);",
    "ahead: their numbers on the link",
  ],
  [
    "ahead",
    "card/framer",
    "before the request: a record goes into the store without its entry",
    "  f.link = STORE;\n  f.done = copyDone(side, t, j.bytes + STORE_ENTRY_BYTES);",
    "  f.link = STORE;\n  f.done = copyDone(side, t, j.bytes);",
    "ahead: ns in which the framer copies",
  ],
  [
    "ahead",
    "card/framer",
    "before the request: a record that comes from the store is read with two entries",
    ": copyDone(side, t, j.bytes + STORE_ENTRY_BYTES);",
    ": copyDone(side, t, total + STORE_ENTRY_BYTES);",
    "ahead: ns in which the framer copies",
  ],
  [
    "ahead",
    "kernel/request",
    "before the request: the books of the request are not copied",
    "  memory.copy(ACCOUNT + side * ACCOUNTS_SIZE, accountsAt() + side * ACCOUNTS_SIZE, ACCOUNTS_SIZE);",
    "",
    "invariant accounts-sum-to-elapsed",
  ],
];
