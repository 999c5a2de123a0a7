// SPDX-License-Identifier: Apache-2.0
// Constants that both compilers read: limits, parameters, units, accounting states, counters, stop reasons.
// Values stay below 2^31. A list keeps the order in which a page meets its members.

// --- limits ---
export const PAGE_BYTES: u32 = 4096;
export const TICKS_PER_NS: u32 = 1024000;
export const VCPUS_MAX: u32 = 64;
export const ENGINES_MAX: u32 = 16;
export const CORES_MAX: u32 = 16;
/** Credits of a pool without a limit. */
export const CREDITS_ENDLESS: u32 = 0x3fffffff;
export const TAGS_MAX: u32 = 1024;
export const WALKERS_MAX: u32 = 32; // page walks of an IOMMU at a time
export const JITTER_STEPS: u32 = 1024; // quantiles of a jitter table
export const LOAD_MOST: u32 = 62259; // of 2^16: 0.95, the most that counts of a memory's load
export const TENANT_OPS_MAX: u32 = 1024; // operations of a tenant under way
export const LATENCIES_MAX: u32 = 65536; // of operations, that a probe keeps
export const JOBS_MAX: u32 = 8192;
/** Connections of a data link at most. */
export const STREAMS_MAX: u32 = 32;
export const READ_QUEUES_MAX: u32 = 8;
export const TLP_QUEUE_DEPTH: u32 = 8;
/** Records of a data link that its sender keeps: device state, pages. */
export const RECORDS_A_MAX: u32 = 8192;
export const RECORDS_MAX: u32 = 65536;
export const BATCH_PAGES: u32 = 2048;
export const MESSAGE_SLOTS: u32 = 64;
export const MESSAGE_BYTES_MAX: u32 = 65536;
export const VSOCK_HEADER_BYTES: u32 = 44;
export const ROUNDS_MAX: u32 = 1024;
export const RECORD_HEADER_BYTES: u32 = 16;
export const RECORD_TAG_BYTES: u32 = 16;
export const EVENT_BYTES: u32 = 24;

// --- content modes ---
export const CONTENT_FULL: u32 = 0;
export const CONTENT_SIZED: u32 = 1;
export const CONTENT_SAMPLED: u32 = 2;

// content word of a page: what the encoder made of it (the memo's value). size 4096 = stored raw
/** What gives a page's size: the window encoder, liblz4's, or the harness (device state: liblz4's). */
export const ENCODER_WINDOW: u32 = 0;
export const ENCODER_LIBLZ4: u32 = 1;
export const ENCODER_GIVEN: u32 = 2;
export const WORD_SIZE_MASK: u32 = 0x1fff;
export const WORD_CYCLES_SHIFT: u32 = 13;
export const WORD_CYCLES_MASK: u32 = 0xffff;
export const WORD_ZERO: u32 = 0x20000000;

// flags of a guest event
export const EVENT_SAME: u32 = 1;
export const EVENT_FREE: u32 = 2;
export const EVENT_ZERO: u32 = 4;

// --- parameters of the whole run ---
export const G_PAGES: u32 = 0;
export const G_CONTENT: u32 = 1;
export const G_SAMPLE_EVERY: u32 = 2;
export const G_SEED: u32 = 3;
export const G_VCPUS: u32 = 4;
export const G_CLOCK_WALL: u32 = 5;
export const G_RING_EVENTS: u32 = 6;
export const G_DEVICE_BYTES: u32 = 7;
export const G_START_AT: u32 = 8;
export const G_TRACKER: u32 = 9;
export const G_ADDRESSES: u32 = 10;
export const G_PAGES_OVER_VSOCK: u32 = 11;
export const G_COMPRESS: u32 = 12;
export const G_ENCRYPT_BITS: u32 = 13;
export const G_DOWNTIME_LIMIT: u32 = 14;
export const G_ROUNDS_MAX: u32 = 15;
export const G_TIMEOUT: u32 = 16;
export const G_FORCE: u32 = 17;
export const G_NET_TICKS_NUM: u32 = 18;
export const G_NET_TICKS_DEN: u32 = 19;
export const G_NET_PROPAGATION: u32 = 20;
export const G_NET_MTU: u32 = 21;
export const G_NET_WINDOW: u32 = 22;
export const G_NET_CAP_NUM: u32 = 23;
export const G_NET_CAP_DEN: u32 = 24;
export const G_NET_WEIGHT_A: u32 = 25;
export const G_NET_WEIGHT_B: u32 = 26;
export const G_NET_DELACK: u32 = 27;
export const G_SERIES_WINDOW: u32 = 28;
export const G_QUANTUM: u32 = 29;
export const G_NET_FRAMES: u32 = 30; // under way to one card at most
export const G_NET_OUTSIDE: u32 = 31; // preamble and gap: bytes around a frame
export const G_NET_FRAMING: u32 = 32; // header and FCS of a frame
export const G_NET_FRAME_MIN: u32 = 33; // shortest frame, header to FCS
export const G_NET_CONGESTION: u32 = 34;
export const G_NET_LOSS: u32 = 35; // of 2^32 frames, source to destination
export const G_NET_LOSS_BACK: u32 = 36;
export const G_NET_JITTER: u32 = 37; // ticks at most that a frame is late
export const G_NET_QUEUE_NUM: u32 = 38; // ticks per byte of the bottleneck; 0: there is none
export const G_NET_QUEUE_DEN: u32 = 39;
export const G_NET_BUFFER: u32 = 40; // wire bytes that wait at the bottleneck
export const G_NET_STREAMS: u32 = 41; // connections of a data link
export const G_NET_SEGMENTS: u32 = 42; // that a connection has out at most, a power of two
export const G_NET_TUNED: u32 = 43; // 1: the receive window grows up to G_NET_WINDOW
export const G_NET_FLIGHT: u32 = 44; // bytes in flight of a connection at most, 0: no cap
export const G_NET_HEADERS: u32 = 45; // bytes of the MTU around a payload
export const G_NET_PAD_TO: u32 = 46; // what a payload and its headers are padded to
export const G_LINK_BYTES: u32 = 47; // that the source of a link alone has
export const G_NET_TLS: u32 = 48; // bytes around a record of a data link
export const G_NET_DOWN_AT: u32 = 49; // when the link is down, and for how long
export const G_NET_DOWN_FOR: u32 = 50;
export const G_NET_PAUSE_HIGH: u32 = 51; // wire bytes at the bottleneck that stop the port; 0: nothing does
export const G_NET_PAUSE_LOW: u32 = 52; // and that let it go on
export const G_NET_PAUSE_HOP: u32 = 53; // ticks between port and switch
export const G_NET_PAUSE_QUANTA: u32 = 54; // of 512 bit times
export const G_INTERRUPT_EVERY: u32 = 55; // ticks between two interrupts at least, 0: none is held
export const G_INTERRUPT_AFTER: u32 = 56; // messages that do not wait for that
export const G_TRACKER_GROUP: u32 = 60; // pages made writable by one fault at most, a power of two
export const G_TRACKER_RULE: u32 = 61; // GROUPS_ constants
export const G_TRACKER_LOG: u32 = 62; // entries of a vCPU's log; 0 where nothing is logged
// what breaks
export const G_CANCEL_AT: u32 = 67; // not before NEVER when it is not
export const G_SILENCE: u32 = 68; // ticks without a frame of the peer that the source bears, 0: any
export const G_NET_RETRIES: u32 = 69; // timeouts in a row after which a connection is given up, 0: never
export const G_CORRUPT_AT: u32 = 70; // from when on a page record is spoilt; not before NEVER: none is
export const G_RESET_AT: u32 = 71; // when the destination's card is reset, 0: never
export const G_ATTEMPT: u32 = 72; // attempts at the migration before this one: each has keys of its own
// deltas of pages
export const G_DELTA_SETS: u32 = 118; // pages that the cache of the source card holds, a power of two; 0: off
export const G_DELTA_CYCLES: u32 = 119; // clocks that a page takes the engine for
export const G_DELTA_MOST: u32 = 120; // bytes of the largest delta that is sent
// a control processor that restarts; records that are spoilt and asked for again; a tracker to be started
export const G_RESTART_AT: u32 = 108; // + side; not before NEVER when it does not
export const G_RESTART_FOR: u32 = 110; // + side
export const G_RESTART_LOST: u32 = 112; // a bit a side: what its RAM held is lost
export const G_ASK_AGAIN: u32 = 113; // records that the destination asks for again at most, 0: none
export const G_CORRUPT_RECORDS: u32 = 114; // page records that are spoilt in a row
export const G_TRACKER_START: u32 = 115; // ticks before a tracker that is not resident is there
export const G_COUNT: u32 = 128;

// congestion control: none is a path without loss that nobody backs off from
export const CONGESTION_NONE: u32 = 0;
export const CONGESTION_RENO: u32 = 1;
export const CONGESTION_CUBIC: u32 = 2;
export const CONGESTION_FIRMWARE: u32 = 3; // UDP: the window alone, recovery by the firmware

// tracker kinds and address formats
export const TRACKER_WRITE_PROTECT: u32 = 0;
export const TRACKER_BITMAP: u32 = 1;
export const TRACKER_PML: u32 = 2;
export const TRACKER_DIRTY_RING: u32 = 3;
/** Entries of a PML log (Intel SDM volume 3). */
export const PML_ENTRIES: u32 = 512;
export const RING_ENTRIES_MAX: u32 = 65536;
export const GROUP_MAX: u32 = 512;
// how many pages a fault makes writable
export const GROUPS_STATIC: u32 = 0;
export const GROUPS_COUNTER: u32 = 1;
export const GROUPS_CONTIGUITY: u32 = 2;
export const ADDRESSES_BITMAP: u32 = 0;
export const ADDRESSES_LIST: u32 = 1;
export const ADDRESSES_RUNS: u32 = 2;

// --- parameters of one side (host + card) ---
export const S_CARD_NUM: u32 = 0;
export const S_CARD_DEN: u32 = 1;
export const S_CTL_NUM: u32 = 2;
export const S_CTL_DEN: u32 = 3;
export const S_PCIE_TICKS_PER_BYTE: u32 = 4;
export const S_PCIE_LANES: u32 = 5;
export const S_PCIE_MPS: u32 = 6;
export const S_PCIE_MRRS: u32 = 7;
export const S_PCIE_RCB: u32 = 8;
export const S_PCIE_COMBINE_ABOVE: u32 = 9;
export const S_PCIE_FLIGHT: u32 = 10;
export const S_PCIE_TAGS: u32 = 11;
export const S_PCIE_CPL_BYTES: u32 = 12;
export const S_PCIE_CPL_HEADERS: u32 = 13;
export const S_PCIE_PH: u32 = 14;
export const S_PCIE_PD: u32 = 15;
export const S_PCIE_NPH: u32 = 16;
export const S_PCIE_LIMIT: u32 = 17;
export const S_PCIE_DLL: u32 = 18;
export const S_PCIE_SKP_PERIOD: u32 = 19;
export const S_PCIE_SKP_TICKS: u32 = 20;
export const S_PCIE_REPLAY_BYTES: u32 = 21;
export const S_PCIE_TAGS_VSOCK: u32 = 22;
export const S_PCIE_TAGS_DESC: u32 = 23;
export const S_MEM_READ_LATENCY: u32 = 24;
export const S_MEM_READ_NUM: u32 = 25;
export const S_MEM_READ_DEN: u32 = 26;
export const S_MEM_WRITE_NUM: u32 = 27;
export const S_MEM_WRITE_DEN: u32 = 28;
export const S_HOST_FAULT: u32 = 29;
export const S_HOST_WORD: u32 = 30;
export const S_HOST_PROTECT_PAGE: u32 = 31;
export const S_HOST_TLB_FLUSH: u32 = 32;
export const S_HOST_MESSAGE: u32 = 33;
export const S_HOST_COPY_NUM: u32 = 34;
export const S_HOST_COPY_DEN: u32 = 35;
export const S_HOST_INTERRUPT: u32 = 36;
export const S_HOST_SUSPEND: u32 = 37;
export const S_HOST_RESUME: u32 = 38;
export const S_HOST_DEVICE_KIB: u32 = 39;
export const S_SCANNER_WORDS: u32 = 40;
export const S_READ_QUEUES: u32 = 41;
export const S_DESC_BYTES: u32 = 42;
export const S_DESC_BATCH: u32 = 43;
export const S_DESC_RING_ON_HOST: u32 = 44;
export const S_DESC_PREFETCH: u32 = 45;
export const S_SRAM_SLOTS: u32 = 46;
export const S_READ_ISSUE: u32 = 47;
export const S_WRITE_ISSUE: u32 = 48;
export const S_ZERO_CYCLES: u32 = 49;
export const S_LZ_ENGINES: u32 = 50;
export const S_LZ_SETUP: u32 = 51;
export const S_LZ_FILL: u32 = 52;
export const S_LZ_PWS: u32 = 53;
export const S_LZ_HASH_LOG: u32 = 54;
export const S_LZ_BANKS: u32 = 55;
export const S_LZ_PORTS: u32 = 56;
export const S_LZ_POLICY: u32 = 57;
export const S_LZ_MATCH_CAP: u32 = 58;
export const S_LZ_MULTI: u32 = 59;
export const S_LZ_INTRA: u32 = 60;
export const S_LZ_BAIL: u32 = 61;
export const S_LZ_OUT_BYTES: u32 = 62;
export const S_LZ_TOKENS: u32 = 63;
export const S_LZ_FIFO: u32 = 64;
export const S_UNLZ_ENGINES: u32 = 65;
export const S_UNLZ_BYTES: u32 = 66;
export const S_UNLZ_SETUP: u32 = 67;
export const S_GCM_ENGINES: u32 = 68;
export const S_GCM_BITS: u32 = 69;
export const S_GCM_LATENCY: u32 = 70;
export const S_GCM_KEY_LOAD: u32 = 71;
export const S_GCM_KEY_SLOTS: u32 = 72;
export const S_CORES: u32 = 73;
export const S_CTL_ADDRESS: u32 = 74;
export const S_CTL_ADDRESS_PAGE: u32 = 75;
export const S_CTL_DESC: u32 = 76;
export const S_CTL_RECORD: u32 = 77;
export const S_CTL_ROUND_END: u32 = 78;
export const S_CTL_INTERRUPT: u32 = 79;
export const S_DRAM_NUM: u32 = 80;
export const S_DRAM_DEN: u32 = 81;
export const S_PCIE_DOWN_PH: u32 = 82; // the card's own: they limit doorbells
export const S_PCIE_DOWN_PD: u32 = 83;
export const S_WRITE_QUEUES: u32 = 84;
// host memory beyond a serial server
export const S_MEM_MISS_ADDER: u32 = 85;
export const S_MEM_MISS_SHARE: u32 = 86; // of 2^32: reads whose line is not cached
export const S_MEM_REMOTE_ADDER: u32 = 87;
export const S_MEM_JITTER: u32 = 88; // 1 when the jitter table counts
export const S_MEM_SEED: u32 = 89;
export const S_IOMMU_SETS: u32 = 90; // 0 without an IOMMU
export const S_IOMMU_WAYS: u32 = 91;
export const S_IOMMU_WALKERS: u32 = 92;
export const S_IOMMU_WALK: u32 = 93;
export const S_IOMMU_PAGE_LOG: u32 = 94;
export const S_IOMMU_SERIAL: u32 = 95; // 1: walks of one page table follow each other
// other I/O of the card
export const S_TEN_KIND: u32 = 96; // TENANT_ constants
export const S_TEN_BYTES: u32 = 97; // of an operation
export const S_TEN_STRIDE: u32 = 98; // between two places of the window
export const S_TEN_PLACES: u32 = 99; // places of the window
export const S_TEN_RANDOM: u32 = 100;
export const S_TEN_DEPTH: u32 = 101; // operations under way at most
export const S_TEN_GAP: u32 = 102; // ticks between two operations at least
export const S_TEN_START: u32 = 103; // ticks before an operation has its first tag
export const S_TEN_ISSUE: u32 = 104; // ticks between two requests
export const S_TEN_TAG: u32 = 105; // ticks from a tag to its request on the port
export const S_TEN_COPY_NUM: u32 = 106; // ticks a byte, from the last answer to the end
export const S_TEN_COPY_DEN: u32 = 107;
export const S_TEN_FLOOR: u32 = 108; // ticks between two writing operations at least
export const S_TEN_TAGS: u32 = 109;
export const S_PCIE_UNPADDED: u32 = 110; // 1: a TLP takes its bytes, not whole words
export const S_IOMMU_RECOVERY: u32 = 111; // ticks from a walk's end to the next of its walker
export const S_IOMMU_READ: u32 = 112; // ticks a completion that a read keeps its walker after that
export const S_PCIE_DOWN_TICKS_PER_BYTE: u32 = 114;
export const S_TEN_BURST: u32 = 115; // bytes that a write is handed over in
export const S_TEN_BURST_GAP: u32 = 116;
export const S_GCM_WORD: u32 = 117; // clocks an engine gives a word: 1, or those of a block
export const S_GCM_REST: u32 = 118; // clocks an engine rests after a record
export const S_GCM_ADMIT: u32 = 119; // 1: a record is begun only with its place behind the engine reserved
export const S_PCIE_REQUEST_BYTES: u32 = 120; // of a request on the wire beside its data
export const S_PCIE_COMPLETION_BYTES: u32 = 121;
export const S_PCIE_ERRORS: u32 = 122; // probability that a byte is spoilt, of 2^48
export const S_PCIE_DOWN_AT: u32 = 123; // when the link goes down, and for how long
export const S_PCIE_DOWN_FOR: u32 = 124;
// load of host memory
export const S_MEM_CONTENTION: u32 = 125; // ticks: t0 * a; 0 without
export const S_MEM_LOAD: u32 = 126; // share that others use, of 2^16
export const S_MEM_WINDOW: u32 = 127; // ticks over which the card's own bytes are counted
export const S_MEM_WINDOW_BYTES: u32 = 128; // that memory sustains in them
// address translation services
export const S_ATS_ENTRIES: u32 = 129; // of the card's translation cache; 0 without
export const S_ATS_REQUESTS: u32 = 130; // translation requests out at most: tags of their own
export const S_COMPLETION_EVERY: u32 = 134; // descriptors that a completion record tells of, 0: none do
export const S_COMPLETION_BYTES: u32 = 135;
export const S_PCIE_RELAXED: u32 = 131; // 1: data writes pass writes that wait for their translation
export const S_HOST_LOG_EXIT: u32 = 136; // exit and entry of a vCPU whose log is brought in
export const S_HOST_LOG_ENTRY: u32 = 137;
export const S_TEN_TAG_RINGS: u32 = 132; // rings of tags, each taken in turn; 0: whichever is free
export const S_TEN_COMPLETIONS: u32 = 133; // completions that its reads wait for at most; 0: any number
export const S_LZ_ENCODER: u32 = 144; // what gives the sizes: ENCODER_*
export const S_LZ_SPAN_NUM: u32 = 145; // ticks of an engine's own clock, or of a byte where a rate is all
export const S_LZ_SPAN_DEN: u32 = 146; // 0: the engine has the card's clock
export const S_LZ_JOB_MIN: u32 = 147; // bytes of the shortest job that the engine takes
// stages of pages that a placement puts on cores of the card or of the host
export const S_CORE_STAGES: u32 = 173; // STAGE_ bits of those on the card's cores
export const S_CORE_JOB: u32 = 174; // cycles of a job of any of them
export const S_CORE_ZERO: u32 = 175; // and for each KiB: looked at by the zero filter
export const S_CORE_LZ: u32 = 176; // of a page that is coded
export const S_CORE_LZ_RAW: u32 = 177; // of one that stays raw
export const S_CORE_GCM: u32 = 178; // of header and payload of a record
export const S_CORE_UNLZ: u32 = 179; // that decoding makes
export const S_HOST_CORES: u32 = 180; // that vCPUs share with the migration; 0: there are enough
// stages of pages on the source's host, before its front-end hands them over
export const S_HOST_STAGES: u32 = 181; // STAGE_ bits
export const S_HOST_WORKERS: u32 = 182; // cores that work at them
export const S_HOST_JOB: u32 = 183; // cycles, as those of the card's cores
export const S_HOST_CPU_NUM: u32 = 184; // ticks of a cycle
export const S_HOST_CPU_DEN: u32 = 185;
export const S_HOST_ZERO: u32 = 186;
export const S_HOST_LZ: u32 = 187;
export const S_HOST_LZ_RAW: u32 = 188;
export const S_HOST_ENGINES: u32 = 189; // beside the CPU, of the rate S_LZ_SPAN_*; 0: the workers code
// engines that fail: the source's encoders and sealing engines, the destination's decoders and opening ones
export const S_CODEC_FAIL_AT: u32 = 190; // not before NEVER when none does
export const S_CODEC_FAIL_ENGINES: u32 = 191;
export const S_CIPHER_FAIL_AT: u32 = 192;
export const S_CIPHER_FAIL_ENGINES: u32 = 193;
export const S_COUNT: u32 = 208;
export const STAGE_ZERO: u32 = 1;
export const STAGE_COMPRESS: u32 = 2;
export const STAGE_CRYPT: u32 = 4; // sealing and opening
export const STAGE_DECOMPRESS: u32 = 8;
export const WORKERS_MAX: u32 = 16;
/** Bytes that the zero filter in software has looked at when it finds one that is not zero. */
export const ZERO_GLANCE: u32 = 64;
export const TENANT_OFF: u32 = 0;
export const TENANT_READ: u32 = 1;
export const TENANT_WRITE: u32 = 2;
export const TENANT_BOTH: u32 = 3; // in turn
export const DLL_NONE: u32 = 0;
export const DLL_EXPLICIT: u32 = 1;
export const DLL_ACK_PER_TLP: u32 = 2;

// --- scheduler units of one side, downstream first ---
export const U_NET_RX: u32 = 0;
export const U_NET_TX: u32 = 1;
export const U_FRAMER: u32 = 2;
export const U_SEAL: u32 = 3;
export const U_COMPRESS: u32 = 4;
export const U_ZERO: u32 = 5;
export const U_READ: u32 = 6;
export const U_DESC: u32 = 7;
export const U_SCANNER: u32 = 8;
export const U_CONTROL: u32 = 9;
export const U_VSOCK: u32 = 10;
export const U_UP: u32 = 11;
export const U_DOWN: u32 = 12;
export const U_MEMORY: u32 = 13;
export const U_PLACE: u32 = 14;
export const U_UNLZ: u32 = 15;
export const U_OPEN: u32 = 16;
export const U_RECEIVE: u32 = 17;
export const U_FRONTEND: u32 = 18;
export const U_GUEST: u32 = 19;
export const U_TENANT: u32 = 20;
export const U_FUNCTION: u32 = 21;
export const U_STORAGE: u32 = 22;
export const UNITS: u32 = 23;
export const U_DELTA: u32 = 23; // in the timeline alone: it is stepped with the compressor

// --- why run() came back ---
export const STOP_UNTIL: u32 = 0;
export const STOP_INPUT: u32 = 1;
export const STOP_DONE: u32 = 2;
export const STOP_INVARIANT: u32 = 3;
export const STOP_DEADLOCK: u32 = 4;
export const STOP_PEER: u32 = 20; // a card alone: the script at the other end has a record

// how the migration ended
export const STATUS_RUNNING: u32 = 0;
export const STATUS_COMPLETED: u32 = 1;
export const STATUS_NOT_CONVERGED: u32 = 2;
export const STATUS_FAILED: u32 = 3;
export const STATUS_CANCELLED: u32 = 4;
export const REASON_ROUNDS: u32 = 1;
export const REASON_TIMEOUT: u32 = 2;
export const REASON_TRACE_ENDED: u32 = 3;
export const REASON_CANCELLED: u32 = 10;
export const REASON_UNANSWERED: u32 = 11;
export const REASON_SILENCE: u32 = 12;
export const REASON_TAG: u32 = 13;
export const REASON_RESTART: u32 = 14; // the source's card has forgotten the migration
export const REASON_RESTART_THERE: u32 = 15; // the destination's has
export const REASON_ENGINES: u32 = 16; // no engine of the source's card is left to seal a record
export const REASON_ENGINES_THERE: u32 = 17; // none of the destination's to open or decode one

// --- invariants (model.md section 7) ---
export const I_DESTINATION_EQUALS_SOURCE: u32 = 1;
export const I_DEVICE_STATE: u32 = 2;
export const I_CLEARED_BEFORE_READ: u32 = 3;
export const I_NO_OLDER_COPY: u32 = 4;
export const I_CONSERVED: u32 = 5;
export const I_NONCE: u32 = 6;
export const I_TAG: u32 = 7;
export const I_ACCOUNTING: u32 = 8;
export const I_TAG_IN_USE: u32 = 9;
export const I_CREDITS: u32 = 10;
export const I_SRAM: u32 = 11;
export const I_JOBS: u32 = 12;
export const I_SEQUENCE: u32 = 13;
export const I_TLP_RULES: u32 = 14;
export const I_DECODES: u32 = 15;
export const I_SLOT_EXAMINED: u32 = 16;
export const I_DEVICE_RECORDED: u32 = 17;
export const I_STORAGE_ONCE: u32 = 20;
export const I_STORAGE_INDICES: u32 = 21;
export const I_ONE_GUEST: u32 = 24;
export const I_DELTA_BASE: u32 = 31;

// --- queues of one side, in the order a page meets them ---
export const Q_DOORBELL: u32 = 0; // host rang: message slot -> vsock
export const Q_VSOCK_ANSWER: u32 = 1;
export const Q_EVENT: u32 = 2; // interrupts and round ends -> control
export const Q_ADDRESS: u32 = 3; // address batches -> control
export const Q_SCAN: u32 = 4; // address batches -> scanner
export const Q_FOUND: u32 = 5; // pages found -> control
export const Q_FETCH: u32 = 6; // descriptor batches being fetched
export const Q_DESC_ANSWER: u32 = 7;
export const Q_READ_ANSWER: u32 = 8;
export const Q_ZERO: u32 = 9;
export const Q_LZ: u32 = 10;
export const Q_RECORD: u32 = 11; // pages coded, or records received -> control
export const Q_SEAL: u32 = 12;
export const Q_FRAME: u32 = 13;
export const Q_OPEN: u32 = 14;
export const Q_UNLZ: u32 = 15;
export const Q_PLACE: u32 = 16;
export const Q_LANDED: u32 = 17; // page writes that have landed in host memory
export const Q_MSIX: u32 = 18; // interrupts that have landed at the host
export const Q_USED: u32 = 19; // used-ring writes that have landed
export const Q_TO_HOST: u32 = 20; // messages for the host -> vsock
export const Q_PENDING: u32 = 21; // pages of the descriptor batches in Q_FETCH
export const Q_OWN: u32 = 22; // records the firmware makes itself -> control
export const Q_READ: u32 = 23; // + READ_QUEUES_MAX
export const Q_TENANT_ANSWER: u32 = 31;
export const Q_TENANT_LANDED: u32 = 32;
export const Q_DEVICE_LANDED: u32 = 33; // data and records of devices that have landed
export const Q_RELEASED: u32 = 34; // slots of their ring that have been examined
export const Q_STORAGE_ANSWER: u32 = 35;
export const Q_STORAGE_LANDED: u32 = 36;
export const Q_STORAGE_BELL: u32 = 37;
export const Q_DELTA: u32 = 39;
export const QUEUES: u32 = 40;

// landings of posted writes
export const LAND_PAGE: u32 = 1;
export const LAND_MSIX: u32 = 2;
export const LAND_USED: u32 = 3;
export const LAND_TENANT: u32 = 4;
export const LAND_DEVICE: u32 = 5;
export const LAND_STORAGE: u32 = 6;

// ports of a side's bus: a requester r posts at PORT_POSTED + r and reads at PORT_READ + r
export const PORT_POSTED: u32 = 0;
export const PORT_READ: u32 = 4;
export const PORT_DOORBELL: u32 = 8;
export const PORT_COMPLETION: u32 = 9;
export const PORT_TRANSLATE: u32 = 10; // translation requests

// requesters of a card
export const R_DATA: u32 = 0;
export const R_VSOCK: u32 = 1;
export const R_DESC: u32 = 2;
export const R_TENANT: u32 = 3;
export const R_ATS: u32 = 4; // the card's translation cache
export const R_STORAGE: u32 = 6; // a storage adapter, by the ports of other I/O

// messages over VSOCK: to the card, then to the host
export const M_START: u32 = 1;
export const M_ADDRESSES: u32 = 2;
export const M_PAGES: u32 = 3;
export const M_ROUND_END: u32 = 4;
export const M_DEVICE: u32 = 5;
export const M_READY: u32 = 6;
export const M_ROUND_DONE: u32 = 7;
export const M_RESUME: u32 = 8;
export const M_DONE: u32 = 9;
export const M_FAILED: u32 = 10;
export const M_FLAG_FINAL: u32 = 1;

// handlers of the firmware
export const F_INTERRUPT: u32 = 1;
export const F_ROUND_END: u32 = 2;
export const F_PAGE_RECORD: u32 = 3;
export const F_DESCRIPTORS: u32 = 4;
export const F_ADDRESSES: u32 = 5;
export const F_STAGE: u32 = 10; // from here on stages of pages
export const F_STAGE_ZERO: u32 = 10;
export const F_STAGE_COMPRESS: u32 = 11;
export const F_STAGE_SEAL: u32 = 12;
export const F_STAGE_OPEN: u32 = 13;
export const F_STAGE_UNLZ: u32 = 14;

// --- accounting slots of one side: every engine, core and wire direction on its own ---
export const A_GUEST: u32 = 0;
export const A_FRONTEND: u32 = 1;
export const A_VSOCK: u32 = 2;
export const A_UP: u32 = 3;
export const A_DOWN: u32 = 4;
export const A_SCANNER: u32 = 5;
export const A_DESC: u32 = 6;
export const A_READ: u32 = 7;
export const A_ZERO: u32 = 8;
export const A_FRAMER: u32 = 9;
export const A_NET: u32 = 10;
export const A_RECEIVE: u32 = 11;
export const A_PLACE: u32 = 12;
export const A_MEMORY_READ: u32 = 13;
export const A_MEMORY_WRITE: u32 = 14;
export const A_TENANT: u32 = 15;
export const A_CORE: u32 = 16; // + CORES_MAX
export const A_LZ: u32 = 32; // + ENGINES_MAX
export const A_SEAL: u32 = 48;
export const A_OPEN: u32 = 64;
export const A_UNLZ: u32 = 80;
export const A_FUNCTION: u32 = 96;
export const A_STORAGE: u32 = 97;
export const A_DELTA: u32 = 98;
export const A_WORKER: u32 = 99; // + WORKERS_MAX: cores of either host that work at stages
export const ACCOUNTS: u32 = 115;

// --- accounting states: where a unit's time goes ---
export const BUSY: u32 = 0;
export const STARVED: u32 = 1;
export const BLOCKED: u32 = 2;
export const W_TAGS: u32 = 3;
export const W_CREDIT_PH: u32 = 4;
export const W_CREDIT_PD: u32 = 5;
export const W_CREDIT_NPH: u32 = 6;
export const W_COMPLETION_BUFFER: u32 = 7;
export const W_REPLAY: u32 = 8;
export const W_SRAM: u32 = 9;
export const W_CWND: u32 = 11;
export const W_WINDOW: u32 = 12;
export const W_RATE_CAP: u32 = 13;
export const W_PCIE: u32 = 14;
export const W_ACK: u32 = 15;
export const W_PAUSE: u32 = 16;
export const W_SLOTS: u32 = 17;
export const W_WORKERS: u32 = 18; // the front-end: cores of its host
export const STATES: u32 = 20;
export const ACCOUNT_BYTES: u32 = 192; // 16, the sums, 16

// --- counters of one side ---
export const C_UP_TLPS: u32 = 0;
export const C_UP_TLP_BYTES: u32 = 1;
export const C_UP_DATA_BYTES: u32 = 2;
export const C_UP_DLLP_BYTES: u32 = 3;
export const C_UP_SKP: u32 = 4;
export const C_DOWN_TLPS: u32 = 5;
export const C_DOWN_TLP_BYTES: u32 = 6;
export const C_DOWN_DATA_BYTES: u32 = 7;
export const C_DOWN_DLLP_BYTES: u32 = 8;
export const C_DOWN_SKP: u32 = 9;
export const C_READ_REQUESTS: u32 = 10;
export const C_READ_PAGES: u32 = 11;
export const C_READ_TORN: u32 = 12;
export const C_ZERO_PAGES: u32 = 13;
export const C_LZ_PAGES: u32 = 14;
export const C_LZ_RAW: u32 = 15;
export const C_LZ_BYTES_OUT: u32 = 16;
export const C_RECORDS_SEALED: u32 = 17;
export const C_RECORDS_OPENED: u32 = 18;
export const C_RECORD_BYTES_A: u32 = 19;
export const C_RECORD_BYTES_B: u32 = 20;
export const C_NET_FRAMES: u32 = 21;
export const C_NET_WIRE_BYTES: u32 = 22;
export const C_NET_PAYLOAD_A: u32 = 23;
export const C_NET_PAYLOAD_B: u32 = 24;
export const C_NET_ACKS: u32 = 25;
export const C_PLACED_PAGES: u32 = 26;
export const C_PLACED_ZERO: u32 = 27;
export const C_PLACED_SKIPPED: u32 = 28;
export const C_VSOCK_TO_CARD: u32 = 29;
export const C_VSOCK_TO_HOST: u32 = 30;
export const C_VSOCK_BYTES: u32 = 31;
export const C_HANDLERS: u32 = 32;
export const C_WRITES: u32 = 33;
export const C_FREES: u32 = 34;
export const C_FAULTS: u32 = 35;
export const C_STALL_TICKS: u32 = 36;
export const C_DIRTY_COLLECTED: u32 = 37;
export const C_HOST_TICKS: u32 = 38;
export const C_DESC_FETCHES: u32 = 39;
export const C_DEVICE_BYTES: u32 = 40;
export const C_KEY_MISSES: u32 = 41;
export const C_MEMO_HITS: u32 = 43;
export const C_MEMO_MISSES: u32 = 44;
export const C_IOTLB_HITS: u32 = 45;
export const C_IOTLB_MISSES: u32 = 46;
export const C_TENANT_OPS: u32 = 47;
export const C_TENANT_BYTES: u32 = 48;
export const C_UP_REPLAYS: u32 = 49;
export const C_DOWN_REPLAYS: u32 = 50;
export const C_ATC_HITS: u32 = 51;
export const C_ATC_MISSES: u32 = 52;
export const C_NET_PAUSES: u32 = 53;
export const C_COMPLETIONS: u32 = 54;
export const C_INTERRUPTS_SAVED: u32 = 55;
export const C_FALSE_DIRTY: u32 = 64;
export const C_LOG_FULL: u32 = 65;
export const C_LOG_ENTRIES: u32 = 66;
export const C_DEVICE_WRITES: u32 = 67;
export const C_DEVICE_RECORDS: u32 = 68;
export const C_DEVICE_RING_HIGH: u32 = 69; // most slots in use
export const C_DEVICE_STALL: u32 = 70;
export const C_DEVICE_OVERFLOWS: u32 = 71; // writes that found the ring full
export const C_DEVICE_RECORD_BYTES: u32 = 72; // on the wire
export const C_DEVICE_EXAMINED: u32 = 73;
export const C_STORAGE_REQUESTS: u32 = 81; // that completed here
export const C_STORAGE_BYTES: u32 = 82;
export const C_STORAGE_PF: u32 = 83; // by way of the physical function
export const C_STORAGE_WAITED: u32 = 84; // made while nobody took requests
export const C_STORAGE_STATE: u32 = 85; // bytes of a virtual function's state
export const C_STORAGE_DRAIN: u32 = 86; // ticks from the last request taken until nothing was under way
export const C_STORAGE_STALL: u32 = 87; // ticks in which nobody took requests
export const C_STORAGE_MOVED: u32 = 88; // requests of the state: sent, begun again
export const C_STORAGE_HOST: u32 = 89; // ticks of the intermediary's core
// deltas: at the source what the cache had, at the destination what was written
export const C_DELTA_HITS: u32 = 104;
export const C_DELTA_MISSES: u32 = 105;
export const C_DELTA_OVERFLOWS: u32 = 106;
export const C_DELTA_SAME: u32 = 107;
export const C_DELTA_BYTES: u32 = 108;
export const C_DELTA_RUNS: u32 = 109;
export const C_DELTA_PLACED: u32 = 110;
// ticks that cores of the card or the host worked at stages of pages
export const C_STAGE_ZERO: u32 = 90;
export const C_STAGE_COMPRESS: u32 = 91;
export const C_STAGE_CRYPT: u32 = 92;
export const C_STAGE_DECOMPRESS: u32 = 93;
export const C_GUEST_CPU: u32 = 94; // ticks that vCPUs lost to the migration's work, summed over vCPUs
// dirty-limit: ticks that vCPUs slept, summed; periods measured
export const C_LIMIT_TICKS: u32 = 95;
export const C_LIMIT_PERIODS: u32 = 96;
export const C_REDONE: u32 = 98; // jobs and handlers begun again
export const C_ENGINE_PASSED: u32 = 99; // pages that went raw past encoders that had all failed
export const C_ENGINE_DROPPED: u32 = 100; // records that met engines that had all failed
export const C_ASKED_AGAIN: u32 = 101;
export const COUNTERS: u32 = 128;

// --- histograms of one side (ticks) ---
export const H_REQUEST: u32 = 0;
export const H_PAGE_READ: u32 = 1;
export const H_PAGE_TOTAL: u32 = 2;
export const H_RECORD_OPEN: u32 = 3;
export const H_PLACE: u32 = 4;
export const H_MESSAGE: u32 = 5;
export const H_TENANT: u32 = 6;
export const H_STORAGE: u32 = 8; // a request, from the guest's asking to its answer
export const HISTOGRAMS: u32 = 9;

// --- the log of a migration: u64 each ---
export const L_STATUS: u32 = 0;
export const L_REASON: u32 = 1;
export const L_STARTED: u32 = 2;
export const L_SETUP_DONE: u32 = 3;
export const L_SUSPENDED: u32 = 4;
export const L_RESUMED: u32 = 5;
export const L_ENDED: u32 = 6;
export const L_DEVICE_DONE: u32 = 7;
export const L_RAM_DONE: u32 = 8;
export const L_ROUNDS: u32 = 9;
export const L_BOOKS: u32 = 10;
export const L_PENDING_PAGES: u32 = 11;
export const L_PRECOPY_BYTES: u32 = 12; // of page records appended when the guest stopped
export const L_BROKEN_OFF: u32 = 16; // when the source broke off
export const L_TOO_LATE: u32 = 17; // when it had a reason to, and everything had been handed over
export const L_FOUND: u32 = 18; // when the source's card found the failure
export const L_QUIESCED: u32 = 20; // when the last write of a device had landed before the stop
export const L_QUIESCING: u32 = 21; // when devices were told to begin none
export const L_RECORDING: u32 = 22; // when devices were told to record
export const L_STORAGE_ASKED: u32 = 30; // when the adapter was told to take no more
export const L_STORAGE_STILL: u32 = 31; // when its state was with the intermediary, last
export const L_STORAGE_LOAD: u32 = 32; // ticks that its state took to be set
export const L_COUNT: u32 = 48;

// a round in the log, u64 each
export const RL_START: u32 = 0;
export const RL_END: u32 = 1;
export const RL_NORMAL: u32 = 2;
export const RL_ZERO: u32 = 3;
export const RL_WIRE: u32 = 4;
export const RL_NEW_DIRTY: u32 = 5;
export const RL_THROTTLE: u32 = 6; // per cent, from the end of the round on
export const RL_COUNT: u32 = 8;

// what a link alone reads out, u64 each; behind it the bytes acknowledged of each connection
export const LR_ACKED: u32 = 0;
export const LR_ENDED: u32 = 1; // when the last byte was acknowledged, 0 before
export const LR_AGAIN: u32 = 2; // segments sent again
export const LR_EPISODES: u32 = 3; // times that a window was cut
export const LR_TIMEOUTS: u32 = 4;
export const LR_SRTT_SUM: u32 = 5; // ns x us that it stood
export const LR_SRTT_TIME: u32 = 6; // us that it stood
export const LR_SRTT: u32 = 7; // of the first connection now, ns
export const LR_CWND: u32 = 8; // of the first connection now, segments
export const LR_RIGHT: u32 = 9; // bytes it may have out by the window of its peer
export const LR_SENT: u32 = 10; // frames, source to destination, then the other way, as those below
export const LR_LOST: u32 = 12;
export const LR_DROPPED: u32 = 14;
export const LR_RECEIVED: u32 = 16;
export const LR_DATA: u32 = 18; // segments sent, again or not
export const LR_PAUSES: u32 = 20; // PAUSE frames
export const LR_PAUSED: u32 = 22; // ticks that the port stood still, up to when it moved last
export const LR_STREAMS: u32 = 24;

// --- QEMU's migration thread: its parameters, u64 each; times are ticks unless their name says otherwise ---
export const QP_START_AT: u32 = 0;
export const QP_WINDOW_BYTES: u32 = 1; // of max-bandwidth in 100 ms
export const QP_DOWNTIME_MS: u32 = 2; // downtime-limit
export const QP_NORMAL: u32 = 3; // of the thread, a page that is not zero
export const QP_ZERO: u32 = 4; // a zero page
export const QP_SYNC: u32 = 5; // a synchronisation of the bitmap
export const QP_WAKE: u32 = 6; // that a timed wait ends late
export const QP_SETUP: u32 = 7;
export const QP_STOP: u32 = 8; // from asking the vCPUs to stop until they have
export const QP_DEVICE: u32 = 9; // to save and load device state
export const QP_DEVICE_BYTES: u32 = 10;
export const QP_ROM_PAGES: u32 = 11; // of blocks behind the guest's memory: BIOS, option ROM, tables
export const QP_ROM_NORMAL: u32 = 12; // of them not zero
export const QP_LINK_NUM: u32 = 13; // ticks a byte of the connection; 0: it takes any
export const QP_LINK_DEN: u32 = 14;
export const QP_SOCKET_BYTES: u32 = 15; // that the socket takes beyond what is on the wire
export const QP_UNWRITTEN: u32 = 16; // pages that the log shows dirty although nobody writes them
export const QP_CONVERGE: u32 = 17; // 1: auto-converge
// XBZRLE: pages of its cache, a power of two, 0 for none; of 65,536 hits so many do not fit; a delta's bytes
export const QP_XBZRLE_SLOTS: u32 = 18;
export const QP_XBZRLE_OVERFLOW: u32 = 19;
export const QP_XBZRLE_BYTES: u32 = 20;
export const QP_XBZRLE_TICKS: u32 = 21; // of the thread, to encode a page
// multifd: channels, 0 for none; of the thread a page queued; of a channel a page with contents, a zero page
export const QP_CHANNELS: u32 = 22;
export const QP_QUEUE: u32 = 23;
export const QP_CHANNEL_NORMAL: u32 = 24;
export const QP_CHANNEL_ZERO: u32 = 25;
export const QP_ROM_BYTES: u32 = 26; // size of a ROM's page that is not zero
// post-copy: synchronisations after which it is asked for, 0 for never; of the destination to place a page;
// from a fault there until the source's thread knows of it; from the source's socket to the destination
export const QP_POSTCOPY: u32 = 27;
export const QP_PLACE: u32 = 28;
export const QP_REQUEST: u32 = 29;
export const QP_FLIGHT: u32 = 30;
export const QP_SYNCS_MAX: u32 = 31; // after which it is given up, 0 for never
// dirty-limit: MiB/s a vCPU, 0 for none; ticks of a period
export const QP_LIMIT_RATE: u32 = 32;
export const QP_LIMIT_PERIOD: u32 = 33;
// device pre-copy: bytes that go ahead, 0 for none; bytes a second that grow old; ticks between two readings,
// of the destination a KiB of state, and of the acknowledgement
export const QP_AHEAD_BYTES: u32 = 34;
export const QP_AHEAD_CHANGES: u32 = 35;
export const QP_AHEAD_EVERY: u32 = 36;
export const QP_AHEAD_LOAD: u32 = 37;
export const QP_AHEAD_ACK: u32 = 38;
export const QP_UNWRITTEN_AT: u32 = 39; // the first of those pages
export const QP_COUNT: u32 = 48;
export const QP_CHANNELS_MAX: u32 = 64;

// what the thread reads out, u64 each
export const QR_TRANSFERRED: u32 = 0;
export const QR_PRECOPY: u32 = 1; // bytes of RAM while the guest ran
export const QR_DOWNTIME: u32 = 2; // and after
export const QR_NORMAL: u32 = 3;
export const QR_ZERO: u32 = 4;
export const QR_SYNCS: u32 = 5;
export const QR_SETUP_DONE: u32 = 6;
export const QR_SUSPENDED: u32 = 7;
export const QR_ENDED: u32 = 8; // 0 before
export const QR_WORKED: u32 = 9; // ticks of a core
export const QR_PENDING: u32 = 10; // pages
export const QR_THRESHOLD: u32 = 11; // bytes
export const QR_THROTTLE: u32 = 12; // per cent that vCPUs are to stand still
export const QR_XBZRLE_PAGES: u32 = 13; // hits
export const QR_XBZRLE_BYTES: u32 = 14;
export const QR_XBZRLE_MISSES: u32 = 15;
export const QR_XBZRLE_OVERFLOWS: u32 = 16;
export const QR_XBZRLE_SAME: u32 = 17; // hits that were not sent
export const QR_MULTIFD_BYTES: u32 = 18;
export const QR_CHANNEL_WORKED: u32 = 19; // ticks of cores, all channels
export const QR_POSTCOPY: u32 = 20; // bytes of RAM after the guest went over
export const QR_REQUESTS: u32 = 21; // of pages
export const QR_RESUMED: u32 = 22; // when the guest went on there, before the end; 0 without post-copy
export const QR_FAULT_TICKS: u32 = 23; // by which vCPUs waited for pages
export const QR_GIVEN_UP: u32 = 24; // when, 0 for not
export const QR_LIMIT_SLEEP: u32 = 25; // us that a vCPU sleeps at most when its ring is full, at the stop
export const QR_AHEAD_BYTES: u32 = 26; // of device state, before the stop
export const QR_ACKED: u32 = 27; // when the destination's acknowledgement is there
export const QR_REST_BYTES: u32 = 28; // of device state, after it
export const QR_COUNT: u32 = 32;

// --- a storage adapter passed through to the guest: parameters, u64 each; times are ticks ---
export const ST_DEPTH: u32 = 0; // requests under way at most; 0: there is no adapter
export const ST_QUEUE: u32 = 1; // entries of the request and of the response queue
export const ST_BYTES: u32 = 2; // of a request's data
export const ST_READS: u32 = 3; // per cent of requests that read
export const ST_EVERY: u32 = 4; // between two requests, in the mean
export const ST_POLICY: u32 = 5; // QUIESCE_ constants
export const ST_AT_STOP: u32 = 6; // 1: told when the guest has stopped; 0: before the first round
export const ST_SUSPEND: u32 = 7; // from the command until no request is taken
export const ST_RESUME: u32 = 8; // from a state that is set until requests may be taken
export const ST_STATE_BYTES: u32 = 9; // of the state beside the requests in it
export const ST_RATE_NUM: u32 = 10; // ticks a byte between the functions of a card
export const ST_RATE_DEN: u32 = 11;
export const ST_PF_TICKS: u32 = 12; // of the intermediary's core, a request and a response
export const ST_CANCEL: u32 = 13; // to cancel one request
export const ST_TAGS: u32 = 14;
export const ST_FIRST_PAGE: u32 = 15; // of queues and buffers in the guest's memory
export const ST_COUNT: u32 = 32;
// what is done with requests when the guest moves
export const QUIESCE_NONE: u32 = 0;
export const QUIESCE_SUSPEND: u32 = 1;
export const QUIESCE_DRAIN: u32 = 2;
export const QUIESCE_FALLBACK: u32 = 3;
export const QUIESCE_CANCEL: u32 = 4;
export const STORAGE_DEPTH_MAX: u32 = 256;
export const STORAGE_QUEUE_MAX: u32 = 1024;
export const STORAGE_STEPS: u32 = 1024; // quantiles of the service time
export const STORAGE_BLOCKS: u32 = 16; // contents that a read may bring
export const STORAGE_REQUEST_BYTES: u32 = 64; // an entry of the request queue
export const STORAGE_RESPONSE_BYTES: u32 = 16;
export const STORAGE_BATCH: u32 = 8; // requests taken by one read of the queue
export const STORAGE_SLOT_BYTES: u32 = 64; // kernel/storage: a request of the guest

// series: adaptive windows, doubled when the table is full
export const SERIES_BINS: u32 = 512;
export const SERIES_GOODPUT: u32 = 0;
export const SERIES_DIRTY: u32 = 1;
export const SERIES_PLACED: u32 = 2;
export const SERIES: u32 = 3;

// --- events of the timeline (instrumented build) ---
export const T_PUT: u32 = 1; // which port; t ready; a bytes; b address, c time of the put
export const T_TLP: u32 = 2; // which port; t start; a bytes on the wire; b data bytes, c tag or argument
// which direction; t start; a 0 ACK, 1 UpdateFC-P, 2 UpdateFC-NP; b amount, c data units
export const T_DLLP: u32 = 3;
export const T_SKP: u32 = 4; // which direction; t start; a ticks
export const T_ANSWER: u32 = 5; // which requester; t arrival of the last byte; a tag; b bytes
export const T_APPEND: u32 = 6; // which link; t from which the wire sees it; a bytes
export const T_TAKEN: u32 = 7; // which link, side = the receiver; t from which the wire sees it; a bytes
export const T_FRAME: u32 = 8; // which link; t start; a payload bytes; b acknowledgement, c right edge
// which link, side = the receiver; t arrival; a payload bytes; b acknowledgement, c right edge
export const T_ARRIVE: u32 = 9;
export const T_STAGE: u32 = 10; // which unit; t start; a page number; b end, c kind of job
export const T_PAGE: u32 = 11; // which step (P_ constants); t; a page number; b, c by step
export const T_SPOILT: u32 = 12; // which port; t start; a bytes on the wire of a TLP that arrives spoilt
export const T_DEVICE: u32 = 13; // which step (V_ constants); t; a page; b, c by step
// which step of a storage request (IO_ constants); t; a slot; b number, c by step
export const T_STORAGE: u32 = 14;
export const T_RECORD_BYTES: u32 = 32;

// --- steps of a storage request and its adapter (T_STORAGE) ---
export const IO_ASKED: u32 = 1; // c place in the request queue
export const IO_TAKEN: u32 = 2; // read of the queue is put: a first slot, b requests, c 1 through the PF
export const IO_BEGUN: u32 = 3; // c 1 a write, whose data is read first
export const IO_SERVICE: u32 = 4; // c its end
export const IO_ANSWER: u32 = 5; // interrupt is put; c place in the response queue
export const IO_DONE: u32 = 6; // the guest has its answer
export const IO_FORWARD: u32 = 7; // the intermediary takes it; c when it is the PF's
export const IO_RETURN: u32 = 8; // the intermediary has the PF's answer; c when the guest has it
export const IO_CANCELLED: u32 = 9;
export const IO_MODE: u32 = 10; // a mode of the adapter (kernel/storage), c until when

// --- steps of a page on its way (T_PAGE) ---
export const P_WRITTEN: u32 = 1; // b version, c 1 when it set the dirty mark
export const P_CLEARED: u32 = 2; // b round
export const P_ANNOUNCED: u32 = 3; // b round
export const P_FOUND: u32 = 4; // b job, c 1 when VSOCK brings the page itself
export const P_POSTED: u32 = 5; // b place in the descriptor batch, c pages of it
export const P_FETCHED: u32 = 6; // t when its read queue sees it
export const P_REQUEST: u32 = 7; // b offset, c bytes; the next put of the data requester is this one
export const P_READ: u32 = 8; // b version, c 1 when a write tore it
export const P_SORTED: u32 = 9; // b 1 when it is all zero
export const P_CODED: u32 = 10; // t start; b bytes (4096: raw), c clocks of the engine
export const P_OUT: u32 = 11; // t from which the next unit sees it; b unit that it leaves
export const P_SEALED: u32 = 12; // b record number
export const P_FRAMED: u32 = 13; // b position in the stream, c bytes
export const P_RECEIVED: u32 = 14; // b job, c record number
export const P_PLACED: u32 = 15; // t start; b job, c writes: 0 when fresh memory holds the page already

// --- devices that write guest memory, and what sees them ---
export const G_DEVICES: u32 = 57;
export const G_DEVICE_TRACKER: u32 = 58; // DEVICES_ constants
export const G_RECORD_SLOTS: u32 = 59;
export const G_RECORD_BYTES: u32 = 63;
export const G_RECORD_ORDER: u32 = 64; // RECORD_ constants
export const G_RECORD_FULL: u32 = 65; // FULL_ constants
export const G_RECORD_POLL: u32 = 66; // ticks from an examination to the next, 0: at collections alone
export const G_TRACKER_LATE: u32 = 80; // 1: marks are cleared when their pages have been read (unsafe)
export const S_HOST_EXAMINE: u32 = 138; // ticks of an examination of the ring
export const S_HOST_RECORD: u32 = 139; // and of a record
export const S_HOST_IOMMU_ENTRY: u32 = 140; // reading an entry of the IOMMU's page table
export const S_HOST_IOMMU_CLEAR: u32 = 141; // clearing one that is dirty
export const S_HOST_IOTLB_FLUSH: u32 = 142;
export const DEVICES_MAX: u32 = 8;
export const DEVICES_UNSEEN: u32 = 0;
export const DEVICES_RING: u32 = 1;
export const DEVICES_IOMMU: u32 = 2;
export const RECORD_AFTER: u32 = 0; // behind the data
export const RECORD_BEFORE: u32 = 1; // before it; its slot is kept until the write is complete
export const RECORD_BEFORE_FREED: u32 = 2; // before it; an examination frees its slot (unsafe)
export const FULL_STALL: u32 = 0;
export const FULL_OVERFLOW: u32 = 1;
export const FULL_SPILL: u32 = 2;
// parameters of a device, u64 each
export const D_GAP_NUM: u32 = 0; // ticks between two writes at least
export const D_GAP_DEN: u32 = 1;
export const D_BYTES: u32 = 2;
export const D_FIRST: u32 = 3; // page of its buffers, and how many they are
export const D_PAGES: u32 = 4;
export const D_RANDOM: u32 = 5;
export const D_SEED: u32 = 6;
export const D_OUT: u32 = 7; // writes under way at most
export const D_FETCH: u32 = 8; // ticks from a write's scheduling to its data
export const D_COUNT: u32 = 16;
export const DEVICE_WRITES_MAX: u32 = 64; // of a device, under way
// steps of a device's write (T_DEVICE)
export const V_TAKEN: u32 = 1; // b number of the device's write, c device
export const V_PUT: u32 = 2; // its data is put: b and c as above, and of the next three
export const V_LANDED: u32 = 3;
export const V_RECORDED: u32 = 4; // a record is put: b its index
export const V_SEEN: u32 = 5; // what was written beside the data has landed: c + 256, or + 512 behind it
export const V_EXAMINED: u32 = 6; // a records or bits, b index of the first, c of the first that is kept
export const V_FREED: u32 = 7; // the card knows: b index of the first slot kept

// --- after the resume: pages that the guest does not have yet (kernel/residual) ---
export const G_ALGORITHM: u32 = 73; // ALGORITHM_ constants
export const G_RESIDUAL: u32 = 74; // RESIDUAL_ constants
export const G_THRESHOLD: u32 = 75; // pages left below which the guest is stopped, 0: the downtime limit says
export const G_PUSH_AFTER: u32 = 76; // ticks from the resume until pages are sent unasked
export const G_PUSH_NUM: u32 = 77; // ticks a byte of guest memory that is sent unasked, 0: no cap
export const G_PUSH_DEN: u32 = 78;
export const G_PUSH_AHEAD: u32 = 79; // pages sent unasked that the source's card has in hand at most
export const ALGORITHM_PRECOPY: u32 = 0;
export const ALGORITHM_POSTCOPY: u32 = 1; // no round before the stop
export const ALGORITHM_HYBRID: u32 = 2; // one round
export const RESIDUAL_BEFORE: u32 = 0;
export const RESIDUAL_AFTER: u32 = 1;
export const AHEAD_MAX: u32 = 128;
export const S_HOST_MISSING: u32 = 158; // from a touch of a page that is not mapped to the front-end
export const S_HOST_MAP: u32 = 159; // to map a page and let its vCPU go on
export const M_STALE: u32 = 20; // to the source's card: pages of a batch that go after the resume
export const M_MISSING: u32 = 21; // to the destination's host: the same
export const M_FAULT: u32 = 22; // to the destination's card: a page is wanted
export const M_FILLED: u32 = 23; // to its host: it is there
export const M_WHOLE: u32 = 24; // to its host: every page is
export const M_RELEASE: u32 = 25; // to its card: the source may go
export const C_POSTCOPY_BYTES: u32 = 74; // records of pages sent after the resume
export const C_DEMAND_BYTES: u32 = 75; // of them, those that were asked for: they go on link A
export const C_DEMANDS: u32 = 76; // pages asked for over the link
export const C_TOUCHES: u32 = 77; // accesses to a page that was not mapped
export const C_CROSSED: u32 = 78; // pages asked for that were on their way
export const H_FIRST_TOUCH: u32 = 7;
export const L_RESIDUAL_PAGES: u32 = 23; // that were not there at the resume
export const L_ARRIVED: u32 = 24; // when the guest resumed with pages missing, or none known to be
/** Event: the front-end reads a message; which its kind, side; t start; a its first word; b end. */
export const T_READ: u32 = 20;
export const I_RESIDUAL_ONCE: u32 = 18;
export const I_SOURCE_KEPT: u32 = 19;

// --- engines that presets name ---
export const S_GCM_SPAN_NUM: u32 = 160; // ticks of a cipher's own clock
export const S_GCM_SPAN_DEN: u32 = 161; // 0: it has the card's clock
// --- decryption that is put off (kernel/deferred) ---
export const RESIDUAL_SEALED: u32 = 2; // every page is there when the guest resumes, some of them sealed
export const G_DECRYPT_NUM: u32 = 81; // ticks a byte of pages that are decrypted unasked, 0: no cap
export const G_DECRYPT_DEN: u32 = 82;
export const G_RESUME_SET: u32 = 83; // RESUME_ constants
// pages that are plain when the guest resumes
export const RESUME_NONE: u32 = 0;
export const RESUME_HOT: u32 = 1; // those whose records came in more than one round
export const RESUME_ALL: u32 = 2;
/** What the card keeps of a sealed page: number, length, tag. */
export const SEALED_ENTRY_BYTES: u32 = 32;
export const C_DECRYPTED: u32 = 56; // pages that were sealed in host memory and are plain
export const C_DECRYPTED_BYTES: u32 = 57; // read back for that
export const C_DECRYPT_ASKED: u32 = 58; // of the pages, those begun because they were asked for
export const C_SUPERSEDED: u32 = 59; // records that a newer version replaced before they were opened
export const C_SEALED_TABLE: u32 = 60; // bytes of the table, written and read
export const C_DECRYPTED_CODED: u32 = 111; // of the pages read back, those that are compressed
export const L_PLAIN: u32 = 25; // when the last page was
export const L_RESUME_SET: u32 = 26; // pages of the resume set
export const L_OPENED: u32 = 27; // when they were plain
export const L_OPEN_BUSY: u32 = 28; // ticks that engines had opened records for at the resume
/** Event: which step of a sealed page (K_ constants), side 1; t; a page number; b, c by step. */
export const T_DECRYPT: u32 = 33;
export const K_KEPT: u32 = 1; // b number of the record, c its bytes; 0 when the page is zero
export const K_BEGUN: u32 = 2; // b 1 when it was asked for
export const K_HANDED: u32 = 3; // its plain bytes have been handed to PCIe; b 1 when it was asked for
export const K_ASKED: u32 = 4; // the host asks for it
export const K_RESUMED: u32 = 5; // the host says that the guest runs
export const I_PLAIN_BEFORE_USE: u32 = 22;
// --- a card that scans the bitmap of dirty pages in host memory itself (kernel/bitmap-scan) ---
export const G_SCAN_CLEAR: u32 = 100; // SCAN_ constants; 0: the front-end tells of addresses
export const G_SCAN_FLUSH: u32 = 101; // 1: TLBs are flushed before pages are read
export const G_SCAN_WORDS: u32 = 102; // words that are taken for one flush at most
export const SCAN_ATOMIC: u32 = 1; // a word is read and cleared in one instant
export const SCAN_WRITE_ZERO: u32 = 2; // it is read, and a zero written later (unsafe)
export const SCAN_WORDS_MAX: u32 = 4096;
export const SCAN_CHUNKS: u32 = 8; // reads of the bitmap, under way or not looked through
export const S_SCAN_TAGS: u32 = 149; // of the source's card, for reads and swaps of the bitmap
export const S_PCIE_NPD: u32 = 148; // credits for the data of non-posted requests
export const R_SCAN: u32 = 5; // the scanner of the bitmap, by the ports of other I/O
export const M_SCAN: u32 = 32; // to the source's card: a round begins
export const M_FLUSH: u32 = 33; // to its host: flush; back: they have been flushed
export const C_SCAN_READ: u32 = 102; // words of the bitmap read
export const C_SCAN_TAKEN: u32 = 103; // words taken
export const C_SCAN_BYTES: u32 = 116; // on the PCIe wires for both
export const C_SCAN_FLUSHES: u32 = 117;
export const I_SCAN_MARKS: u32 = 25;
/** Event: a step of the scanner (SC_ constants), t; a word; b, c by step. */
export const T_SCAN: u32 = 35;
export const SC_SERVED: u32 = 1; // memory has read words: a the first, b how many, c which chunk
export const SC_TAKEN: u32 = 2; // memory has swapped a word: b its lower marks, c the upper
export const SC_ZEROED: u32 = 3; // a zero has landed in a word: b, c its marks then
export const SC_FLUSHED: u32 = 4; // TLBs hold no page as dirty
export const SC_BEGUN: u32 = 5; // a pass begins: a 0 round, 1 count; b round; c 1 the last
export const SC_ENDED: u32 = 6; // it has: b pages or marks found
export const SC_HEARD: u32 = 7; // the scanner sees that a flush is over
// --- several guests on one server (kernel/guests) ---
export const G_GUESTS: u32 = 85; // in the list; 0: the scenario has none, and the server one guest
export const G_ORDER: u32 = 86; // ORDER_ constants
export const ORDER_FAIR: u32 = 0;
export const ORDER_SHORTEST: u32 = 1;
export const ORDER_ONE: u32 = 2; // one after another
export const RL_GUEST: u32 = 7; // whose round it was
export const I_GUEST_ONCE: u32 = 23;
export const GUESTS_MAX: u32 = 16;
// a guest, u64 each: parameters, then how far it has come
export const GT_FIRST_PAGE: u32 = 0;
export const GT_PAGES: u32 = 1;
export const GT_FIRST_VCPU: u32 = 2;
export const GT_VCPUS: u32 = 3;
export const GT_DEVICE_FIRST: u32 = 4; // byte of all device state
export const GT_DEVICE_BYTES: u32 = 5;
export const GT_STATE: u32 = 8; // from here on the core's
export const GT_STATUS: u32 = 8; // GUEST_ constants
export const GT_ROUNDS: u32 = 9;
export const GT_BEGUN: u32 = 10; // its first turn
export const GT_TRACKED: u32 = 11; // its tracker is there
export const GT_SUSPENDED: u32 = 12;
export const GT_RESUMED: u32 = 13;
export const GT_ENDED: u32 = 14; // when the source knew that it has moved, or gave it up
export const GT_PENDING: u32 = 15; // pages left of one that was given up
export const GT_REASON: u32 = 16; // REASON_ constants
export const GT_BYTES: u32 = 17; // records of its pages
export const GT_PRECOPY: u32 = 18; // of them before it stopped
export const GT_FAULTS: u32 = 19;
export const GT_STALL: u32 = 20; // ticks
export const GT_DEVICE_DONE: u32 = 21;
export const GT_RAM_DONE: u32 = 22;
export const GT_OUTSIDE: u32 = 23; // wire bytes between its rounds, and after the last
export const GT_COUNT: u32 = 32;
export const GUEST_WAITS: u32 = 0;
export const GUEST_BEGUN: u32 = 1;
export const GUEST_STOPPED: u32 = 2;
export const GUEST_MOVED: u32 = 3;
export const GUEST_GIVEN_UP: u32 = 4;
export const S_LZ_RETURN: u32 = 162; // cycles of the control processor for a page handed back, 0: none are
export const S_LZ_STORES: u32 = 163; // 1: the engine itself stores what does not shrink
export const S_LZ_JOB_PAGES: u32 = 164; // pages of a job at most, 0 or 1: one
export const S_LZ_JOB_WAIT: u32 = 165; // ticks that a page waits for others of its job
export const S_LZ_COPIES: u32 = 166; // 1: the engine does not gather, jobs are copied into card DRAM
export const G_CHOOSE: u32 = 106; // pages between two looks at what compression gains; 0: it is always on
export const C_HANDED_BACK: u32 = 118; // pages that an engine left to software
export const C_BY_CHOICE: u32 = 119; // pages that went raw because that was faster
export const C_CHOICES: u32 = 120; // times that the firmware changed its mind
export const C_LZ_JOBS: u32 = 121; // jobs of several pages
export const C_LZ_COPIED: u32 = 122; // bytes that were copied for them
/** Pages of a job, as Q_LZ holds twice as many. */
export const JOB_PAGES_MAX: u32 = 16;

// --- a ring of device records that overflows beyond its policy (kernel/device-ring) ---
export const FULL_FAIL: u32 = 3; // the migration is broken off
export const G_POLL_STALL_AT: u32 = 103; // from when no record is examined by the clock, and for how long
export const G_POLL_STALL_FOR: u32 = 104;
export const REASON_RING: u32 = 30;

// --- records that are encrypted before the migration is asked for (kernel/record-store) ---
export const G_STORE: u32 = 87; // 1: pages are coded and sealed ahead of the request
export const G_STORE_FROM: u32 = 88; // from when on
export const G_STORE_NUM: u32 = 89; // ticks a byte of pages that are read ahead, 0: no cap
export const G_STORE_DEN: u32 = 90;
export const S_STORE_BYTES: u32 = 194; // of the source card's DRAM that hold records
/** What the store keeps of a record beside its payload: number, place, version, length, tag. */
export const STORE_ENTRY_BYTES: u32 = 40;
/** Payloads begin at multiples of this. */
export const STORE_LINE_BYTES: u32 = 64;
/** On the wire behind the header of a record of the store: its nonce. */
export const STORE_NONCE_BYTES: u32 = 8;
/** Batches that the front-end has told of and the card has not looked through, at most. */
export const STORE_AHEAD: u32 = 2;
export const M_STORED: u32 = 40; // to the source's host: a batch has been looked through
export const C_STORED: u32 = 61; // pages whose records were stored
export const C_STORE_SENT: u32 = 62; // of them, those that were sent as they were
export const C_STORE_STALE: u32 = 63; // those that were not: written since, or too late
export const L_STORE_BYTES: u32 = 34; // that the records took at the most
export const L_STORE_FULL: u32 = 35; // when no other page had room, 0: never
/** Step of a page: its record has been written to the store; b its bytes, c 1 when a round had passed it. */
export const P_STORED: u32 = 20;

// --- stages of pages on hosts: a source's that seals, a destination's that opens, decodes and places ---
export const G_HOST_RING: u32 = 94; // buffers of the destination's host that its card may fill
export const G_CIPHER_LATENCY: u32 = 95; // + side: clocks of a cipher beside the CPU until a tag is known
export const G_UNLZ_NUM: u32 = 97; // ticks a byte that a decoder beside the CPU makes
export const G_UNLZ_DEN: u32 = 98;
export const S_HOST_GCM: u32 = 150; // cycles of a KiB of a record, with the rounds of the run
export const S_HOST_UNLZ: u32 = 151; // and of a KiB that decoding makes
export const S_HOST_CIPHERS: u32 = 152; // beside the CPU; 0: the workers seal and open
export const S_HOST_CIPHER_BITS: u32 = 153;
export const S_HOST_CIPHER_WORD: u32 = 154; // clocks, as those of the card's engines
export const S_HOST_CIPHER_REST: u32 = 155;
export const S_HOST_CIPHER_NUM: u32 = 156; // ticks of its clock
export const S_HOST_CIPHER_DEN: u32 = 157;
export const C_HOST_SEALED: u32 = 79; // records
export const C_HOST_OPENED: u32 = 80;
export const C_HOST_PLACED: u32 = 124; // pages
export const C_RING_BYTES: u32 = 125; // written to buffers, with their descriptors
export const C_RING_HIGH: u32 = 126; // most buffers in use
export const C_BESIDE_TICKS: u32 = 127; // that engines beside the CPU worked
// of U_FRONTEND in T_STAGE, side 1: a worker (shifted by 8), an engine (step of the record, likewise), and
// that a record has landed: b payload, kind << 16, flags << 24
export const WK_WORK: u32 = 64;
export const WK_ENGINE: u32 = 65;
export const WK_LANDED: u32 = 66;

// --- work of a card's firmware for datagrams that it recovers (kernel/datagrams) ---
export const S_DATAGRAM_ACK: u32 = 204; // cycles of an acknowledgement; 0: the port takes it in no time
export const S_DATAGRAM_AGAIN: u32 = 205; // cycles for each datagram that goes again
export const F_HEARD: u32 = 8; // an acknowledgement; n is not told of
export const F_DECIDED: u32 = 9; // n datagrams of a connection go again
export const C_ACKS_HEARD: u32 = 113; // acknowledgements that a handler has taken
export const C_ACKS_UNHEARD: u32 = 114; // that found the queue for one full

// --- reads of the guest (guest.reads) ---
export const EVENT_READ: u32 = 16; // nothing is written
export const C_READS: u32 = 97; // first reads of pages that the guest has made
export const C_READ_TOUCHES: u32 = 112; // of its accesses to a page that was not there, those that read
export const QR_READ_REQUESTS: u32 = 29; // of the requests of QEMU's post-copy, those of reads

// --- where the time of QEMU's thread goes (kernel/qemu-times), ticks but for the last two ---
export const QT_BUSY: u32 = 0;
export const QT_CAP: u32 = 1; // a window's bytes are spent
export const QT_SOCKET: u32 = 2; // the socket takes no more; in post-copy also its destination
export const QT_CHANNELS: u32 = 3; // no channel is idle, or all are to be
export const QT_ACK: u32 = 4; // for the destination's word
export const QT_NOTHING: u32 = 5; // before it begins, without a page to send, while device state is set
export const QT_CARRIED: u32 = 6; // bytes that the connection has carried
export const QT_WRITTEN: u32 = 7; // bytes written by the thread and its channels
export const QT_COUNT: u32 = 8;

// --- dirty-limit of the front-end (kernel/limit-driver) ---
export const G_LIMIT_RATE: u32 = 91; // MiB/s a vCPU, 0 for none
export const G_LIMIT_PERIOD: u32 = 92; // ticks, whole ms
export const L_LIMIT_BEGAN: u32 = 40; // when it began; 0 when it did not
export const L_LIMIT_SLEEP: u32 = 41; // longest sleep of a vCPU at the stop, us

// --- AtomicOps (kernel/port) ---
export const S_MEM_ATOMIC: u32 = 198; // of the root complex beyond a read of the line
export const S_TEN_ATOMIC: u32 = 199; // operands of other I/O's AtomicOps: 1, of CAS 2; 0: reads
