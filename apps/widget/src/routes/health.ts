import type { App } from '../app-type.js';

/** The load balancer's health check. */
export function healthRoute(app: App): void {
  app.get('/', () => ({ message: 'OK' }));
}
