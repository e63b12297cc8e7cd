<?php

/**
 * Takes what a page sent over its socket, in place of IoServer: the user is that of the session.
 */

declare(strict_types=1);

require __DIR__ . '/../../plain-php/src/functions.php';
foreach (['interfaces', 'PushConnection', 'PushConnections', 'Chat'] as $file) {
    require __DIR__ . "/../src/$file.php";
}

startSession();
$user_id = requireUserOfScript();
// Another site cannot set this header, so the request comes from a page of ours.
if (($_SERVER['HTTP_X_REQUESTED_WITH'] ?? '') !== 'fetch') {
    http_response_code(403);
    exit;
}
try {
    $everybody = fn (): array => array_map('intval', database()->query('SELECT `id` FROM `user`')->fetchAll(
        PDO::FETCH_COLUMN,
    ));
    (new Chat($everybody))->onMessage(new PushConnection($user_id), file_get_contents('php://input'));
    http_response_code(204);
} catch (ChatPush\Exception $problem) {
    error_log($problem->getMessage());
    http_response_code(503);
} catch (TypeError | ValueError $mistake) {
    http_response_code(422);
    echo $mistake->getMessage();
}
