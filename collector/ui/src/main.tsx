import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import './style/base.css';
import './style/frame.css';
import './style/controls.css';
import './style/graph.css';
import './style/tables.css';

const client = new QueryClient({
  // The page watches the server by its event stream, whatever the browser thinks of the network.
  defaultOptions: { queries: { networkMode: 'always', retry: 1 } },
});

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
}
