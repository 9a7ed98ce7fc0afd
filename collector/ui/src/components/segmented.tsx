// One choice of a few, as radio buttons: arrow keys move, a screen reader counts them.

import { useId } from 'react';

interface Props<T extends string> {
  label: string;
  choices: readonly { id: T; label: string }[];
  chosen: T;
  onChoose: (id: T) => void;
}

export function Segmented<T extends string>({ label, choices, chosen, onChoose }: Props<T>) {
  const name = useId();
  return (
    <fieldset className="segmented">
      <legend>{label}</legend>
      {choices.map((choice) => (
        <label key={choice.id}>
          <input
            type="radio"
            name={name}
            value={choice.id}
            checked={choice.id === chosen}
            onChange={() => onChoose(choice.id)}
          />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
