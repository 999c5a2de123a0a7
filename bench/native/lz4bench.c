// SPDX-License-Identifier: Apache-2.0
// What liblz4 makes of inputs (mode "blocks"), and how fast it is on 4 KiB pages (mode "time").
//   gcc -O2 -o lz4bench lz4bench.c -llz4
//   lz4bench blocks LIST OUT     LIST: u32 length, u32 capacity, bytes, and again; OUT: u32 size, block, and again
//   lz4bench time PAGES ROUNDS   prints "version compressNs decompressNs sizes", best of ROUNDS, ns per page
// Integers are little-endian, as the machine's.
#include <lz4.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE_BYTES = 4096, BLOCK_BYTES_MAX = 65536 };

static double nowNs(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static char *readAll(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  char *all = malloc(*bytes + 1);
  if (all && fread(all, 1, *bytes, file) != *bytes) all = NULL;
  fclose(file);
  return all;
}

static int writeBlocks(const char *list, size_t bytes, const char *path) {
  static char block[LZ4_COMPRESSBOUND(BLOCK_BYTES_MAX)];
  FILE *out = fopen(path, "wb");
  if (!out) return 1;
  for (size_t at = 0; at + 8 <= bytes;) {
    uint32_t length, capacity;
    memcpy(&length, list + at, 4);
    memcpy(&capacity, list + at + 4, 4);
    if (length > BLOCK_BYTES_MAX || capacity > sizeof block || length > bytes - at - 8) return 1;
    const uint32_t size = (uint32_t)LZ4_compress_default(list + at + 8, block, (int)length, (int)capacity);
    fwrite(&size, 1, 4, out);
    fwrite(block, 1, size, out);
    at += 8 + length;
  }
  return fclose(out);
}

static int timePages(const char *pages, size_t bytes, int rounds) {
  const size_t count = bytes / PAGE_BYTES, bound = LZ4_COMPRESSBOUND(PAGE_BYTES);
  char *blocks = malloc(count * bound), page[PAGE_BYTES];
  int *sizes = malloc(count * sizeof *sizes);
  double bestCompressNs = 1e18, bestDecompressNs = 1e18;
  uint64_t sizeSum = 0;
  if (count == 0 || !blocks || !sizes) return 1;
  for (int round = 0; round < rounds; ++round) {
    double start = nowNs();
    for (size_t i = 0; i < count; ++i)
      sizes[i] = LZ4_compress_default(pages + i * PAGE_BYTES, blocks + i * bound, PAGE_BYTES, (int)bound);
    double ns = nowNs() - start;
    if (ns < bestCompressNs) bestCompressNs = ns;
    start = nowNs();
    sizeSum = 0;
    for (size_t i = 0; i < count; ++i) {
      const int got = LZ4_decompress_safe(blocks + i * bound, page, sizes[i], PAGE_BYTES);
      if (got != PAGE_BYTES || page[i % PAGE_BYTES] != pages[i * PAGE_BYTES + i % PAGE_BYTES]) return 1;
      sizeSum += (uint64_t)sizes[i];
    }
    ns = nowNs() - start;
    if (ns < bestDecompressNs) bestDecompressNs = ns;
  }
  const double pagesPerRound = (double)count;
  printf("%s %.1f %.1f %llu\n", LZ4_versionString(), bestCompressNs / pagesPerRound,
         bestDecompressNs / pagesPerRound, (unsigned long long)sizeSum);
  return 0;
}

int main(int argc, char **argv) {
  size_t bytes = 0;
  char *all = argc == 4 ? readAll(argv[2], &bytes) : NULL;
  if (!all) return 2;
  if (strcmp(argv[1], "blocks") == 0) return writeBlocks(all, bytes, argv[3]);
  if (strcmp(argv[1], "time") == 0) return timePages(all, bytes, atoi(argv[3]));
  return 2;
}
