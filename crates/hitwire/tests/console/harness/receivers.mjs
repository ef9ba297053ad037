// Endpoints that fail, each in its own way, on loopback. What receives well is the Rust side's: `hitwire listen`, and nginx.

import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';

export class Receivers {
    constructor(world) {
        this.world = world;
        this.servers = [];
    }

    // HTTPS with the world's certificate; answers as `answer(request, response)` does, after the body was read.
    async https(answer) {
        const server = createServer({ cert: this.world.certificate, key: this.world.key }, (request, response) => {
            request.resume().on('end', () => answer(request, response));
        });
        return `https://127.0.0.1:${await this.#listen(server)}/hook`;
    }

    // Speaks no TLS: closes each connection after the first byte.
    async notTls() {
        const server = createTcpServer((socket) => {
            socket.on('error', () => {});
            socket.once('data', () => socket.end('220 mail.example.com ESMTP\r\n'));
        });
        return `https://127.0.0.1:${await this.#listen(server)}/hook`;
    }

    // A port that nobody listens on.
    async nobody() {
        const server = createTcpServer();
        const port = await this.#listen(server);
        await new Promise((resolve) => server.close(resolve));
        return `https://127.0.0.1:${port}/hook`;
    }

    #listen(server) {
        this.servers.push(server);
        return new Promise((resolve, reject) => {
            server.once('error', reject);
            server.listen(0, '127.0.0.1', () => resolve(server.address().port));
        });
    }

    async close() {
        for (const server of this.servers) {
            server.closeAllConnections?.();
            server.close(() => {});
        }
    }
}
