"""The bus: calls and casts to named services, over RabbitMQ (oslo.messaging) or inside this process."""
