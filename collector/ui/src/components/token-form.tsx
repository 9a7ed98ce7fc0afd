// Asks for the server's token, where it wants one.

import { type FormEvent, useState } from 'react';
import { setToken } from '../api';

export function TokenForm({ refused, onToken }: { refused: string | null; onToken: () => void }) {
  const [text, setText] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setToken(text.trim());
    onToken();
  };
  return (
    <main>
      <form className="notice" onSubmit={submit}>
        <p>
          <strong>This weir asks for a token.</strong> It stands in the file that the server was started with
          (<code>--token-file</code>); in a cluster it is one that Kubernetes gives you, as{' '}
          <code>kubectl create token NAME</code> does. It is kept until you close this tab.
        </p>
        {refused !== null && (
          <p role="alert" className="loss">
            {refused}
          </p>
        )}
        <label className="field">
          <span>Token</span>
          <input
            type="password"
            autoComplete="off"
            required
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <button type="submit">Continue</button>
      </form>
    </main>
  );
}
