// The loss ledger in words.

interface Counts {
  undecodable: Readonly<Record<string, number>>;
  unknownTemplateSets: number;
}

/** What of a stream could not be decoded, by reason; sets for which no template is known among them. */
export function balance(counts: Counts): Record<string, number> {
  return { ...counts.undecodable, 'sets without template': counts.unknownTemplateSets };
}

/** `1 in 1,000`; rates are not always whole. `lacking`: flows refer to a sampler of which no rate is known. */
export function sampling(rate: number | undefined, lacking = false): string {
  if (lacking) {
    return 'rate unknown';
  }
  if (rate === undefined) {
    return 'unknown';
  }
  return rate === 1 ? 'none' : `1 in ${rate.toLocaleString('en-US', { maximumFractionDigits: 3 })}`;
}

/** `+6 s`, `−5 min`: arrival minus the end of the newest flow, an exporter's timeout plus what its clock is
 * wrong by. */
export function skew(ms: number | undefined): string {
  if (ms === undefined) {
    return 'unknown';
  }
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds === 0) {
    return '0 s';
  }
  const text = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return (ms > 0 ? '+' : '−') + text;
}
