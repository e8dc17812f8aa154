export { cartsHandler } from './carts.ts';
export { echoHandler } from './echo.ts';
export { shippingHandler } from './shipping.ts';
export { troubleHandler } from './trouble.ts';
