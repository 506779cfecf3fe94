import { main } from './main.js';

main(console.log);
