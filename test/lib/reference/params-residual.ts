// SPDX-License-Identifier: Apache-2.0
/** Parameters of what moves after the resume, from the scenario as it is written. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, ticks, whole } from "./params-pcie.ts";
import { exact, writtenAt } from "./written.ts";

const ALGORITHMS = ["precopy", "postcopy", "hybrid"];

/** Puts those of the run; returns those of the destination's side. */
export function residualParams(
  p: Put,
  scenario: object,
  perByte: (rate: ReturnType<typeof exact>) => [number, number],
): [number, number][] {
  const of = (key: string, otherwise: unknown): unknown =>
    writtenAt(scenario, `migration.${key}`) ?? otherwise;
  const algorithm = ALGORITHMS.indexOf(String(of("algorithm", "precopy")));
  const residual = of("residual", algorithm === 0 ? "before-resume" : "after-resume");
  const threshold = of("threshold", "none");
  p(abi.G_ALGORITHM, algorithm);
  p(abi.G_RESIDUAL, residual === "before-resume" ? 0 : 1);
  p(abi.G_THRESHOLD, threshold === "none" ? 0 : whole(threshold));
  const demand = writtenAt(writtenAt(scenario, "encrypt") ?? {}, "decrypt");
  const later = typeof demand === "object" && demand !== null;
  if (later) {
    p(abi.G_RESIDUAL, 2);
    const rate = writtenAt(demand, "rate") ?? "1 GB/s";
    const [num, den] = rate === "none" ? [0, 1] : perByte(exact(rate));
    p(abi.G_DECRYPT_NUM, num);
    p(abi.G_DECRYPT_DEN, den);
    p(abi.G_RESUME_SET, ["none", "hot", "all"].indexOf(String(writtenAt(demand, "resumeSet") ?? "hot")));
  }
  if (residual === "before-resume" && !later) return [];
  p(abi.G_PUSH_AFTER, residual === "on-demand" ? ticks(of("missing.pushAfter", "100 ms")) : 0);
  const rate = of("missing.pushRate", null);
  const [num, den] = rate === null ? [0, 1] : perByte(exact(rate));
  p(abi.G_PUSH_NUM, num);
  p(abi.G_PUSH_DEN, den);
  p(abi.G_PUSH_AHEAD, whole(of("missing.ahead", 64)));
  return [
    [abi.S_HOST_MISSING, ticks(of("missing.fault", "5 us"))],
    [abi.S_HOST_MAP, ticks(of("missing.map", "5 us"))],
  ];
}
