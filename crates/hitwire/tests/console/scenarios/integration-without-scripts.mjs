// The life of an integration in a browser that runs no scripts.

import { life } from './integration.mjs';

export default (stage) => life(stage, false);
