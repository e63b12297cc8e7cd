<?php

/**
 * Takes what a page sent over its socket, in place of the process that ran the events.
 *
 * The answer says whether the user's groups have changed: then the page needs another grant.
 */

declare(strict_types=1);

use GatewayWorker\Lib\Gateway;

require __DIR__ . '/../../plain-php/src/functions.php';
require __DIR__ . '/../src/Gateway.php';
require __DIR__ . '/../src/Events.php';

startSession();
$user_id = signedIn();
// Another site cannot set this header, so the request comes from a page of ours.
if ($user_id === null || ($_SERVER['HTTP_X_REQUESTED_WITH'] ?? '') !== 'fetch') {
    http_response_code($user_id === null ? 401 : 403);
    exit;
}
header('Content-Type: application/json');
try {
    // The session stays locked, because event code writes to it.
    $groups = Gateway::groups();
    Gateway::handle($user_id, fn () => Events::onMessage($user_id, file_get_contents('php://input')));
    echo json_encode(['regrouped' => Gateway::groups() !== $groups]);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    http_response_code(503);
} catch (BadMethodCallException | TypeError | ValueError $mistake) {
    error_log($mistake->getMessage());
    http_response_code(422);
    echo json_encode(['error' => $mistake->getMessage()]);
}
