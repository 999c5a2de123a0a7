// SPDX-License-Identifier: Apache-2.0
/** What the file system's codes say of a file, in one voice for the command line and scenarios. */
export const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EISDIR: "is a folder; name a file",
  ENOTREG: "is a pipe or a device; name a regular file",
  EACCES: "permission is denied",
  EPERM: "the operation is not permitted",
  ENOTDIR: "a part of the path is not a folder",
  ELOOP: "is a link that leads to itself",
  ENAMETOOLONG: "has a name that is too long",
  ENOSPC: "no space is left on the device",
  EDQUOT: "no space is left in the quota",
  EFBIG: "the file would grow too large",
  EROFS: "the file system is read-only",
};
