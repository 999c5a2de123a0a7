// SPDX-License-Identifier: Apache-2.0
// The integer types of AssemblyScript as TypeScript sees them in assembly/abi.ts, the one file both compilers
// read.
declare type u8 = number;
declare type u16 = number;
declare type u32 = number;
declare type i32 = number;
