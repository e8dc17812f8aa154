throw new Error('ORDERS_TABLE is not set');

export const handler = undefined;
