// Starts the page.

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Problem } from './api';
import { App } from './app';
import './style/base.css';
import './style/frame.css';
import './style/controls.css';
import './style/graph.css';
import './style/tables.css';

const client = new QueryClient({
  // The page watches the server by its event stream, whatever the browser thinks of the network. A refusal
  // stays one when it is asked again.
  defaultOptions: {
    queries: {
      networkMode: 'always',
      retry: (failures, error) => failures < 1 && !(error instanceof Problem),
    },
  },
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
