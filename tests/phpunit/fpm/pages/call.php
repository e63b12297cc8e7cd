<?php

// Calls a function with the arguments in the query. Returns its result and the id of the process.
declare(strict_types=1);

$arguments = json_decode($_GET['arguments'], true);
$functions = array_map(
    fn ($function) => $function->getName(),
    (new ReflectionExtension('chatpush'))->getFunctions(),
);
if (!in_array($_GET['function'], $functions, true)) {
    http_response_code(404);
    exit;
}
try {
    $result = $_GET['function'](...$arguments);
} catch (Throwable $thrown) {
    $result = $thrown::class . ': ' . $thrown->getMessage();
}
header('Content-Type: application/json');
echo json_encode(['result' => $result, 'process' => getmypid()]);
if (isset($_GET['exit'])) {
    // The request ends early, while a fetched row is remembered.
    exit(1);
}
