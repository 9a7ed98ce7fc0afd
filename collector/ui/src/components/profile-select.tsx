// The profiles by group, and the built-in one by itself.

import type { Profile } from '../model/shapes';

interface Props {
  profiles: readonly Profile[];
  chosen: string;
  onChoose: (name: string) => void;
}

export function ProfileSelect({ profiles, chosen, onChoose }: Props) {
  const groups = Map.groupBy(profiles, (profile) => (profile.builtIn ? 'Built in' : profile.group));
  const names = [...groups.keys()].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return (
    <label className="field">
      <span>Profile</span>
      <select value={chosen} onChange={(event) => onChoose(event.target.value)}>
        {names.map((group) => {
          const options = groups.get(group)?.map((profile) => (
            <option key={profile.name} value={profile.name} title={profile.name}>
              {profile.displayName}
            </option>
          ));
          return group === '' ? (
            options
          ) : (
            <optgroup key={group} label={group}>
              {options}
            </optgroup>
          );
        })}
      </select>
    </label>
  );
}

/** Profiles without a group first, the built-in one last. */
function rank(group: string): number {
  return group === '' ? 0 : group === 'Built in' ? 2 : 1;
}
