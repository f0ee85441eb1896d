# Makes haproxy's built-in answers JSON that a page can read: perl early-answers.pl HAPROXY
# Before 3.3, haproxy has no setting for what it answers before it has read the headers of a request
# (haproxy issue 3032). So the texts in the program are replaced by others of the same length.
use strict;
use warnings;

my %answers = (
    400 => ['Bad Request', 'Send a valid HTTP request.'],
    408 => ['Request Timeout', 'The request took too long. Send it again.'],
    413 => ['Payload Too Large', 'The request is too large.'],
    422 => ['Unprocessable Entity', 'Send a known Transfer-Encoding.'],
);

my ($path) = @ARGV;
open my $in, '<:raw', $path or die "$path: $!";
my $program = do { local $/; <$in> };
close $in;

my $replaced = 0;
$program =~ s{(HTTP/1\.1 (\d{3}) [^\r\0]*)\r\n[^\0]*<html>[^\0]*(?=\0)}{
    my ($all, $status_line, $status) = ($&, $1, $2);
    exists $answers{$status} ? do { $replaced++; answer($status_line, length $all, @{$answers{$status}}) } : $all;
}ge;
die "this haproxy has other texts: is it 3.3 or newer, which needs no replacement?\n" unless $replaced == keys %answers;

open my $out, '>:raw', $path or die "$path: $!";
print $out $program;
close $out or die "$path: $!";

# Spaces behind the JSON fill up the length, which has two digits.
sub answer {
    my ($status_line, $length, $error, $message) = @_;
    my @headers = ('Connection: close', 'Access-Control-Allow-Origin: *', 'Content-Type: application/json');
    my $body = qq({"error":"$error","message":"$message"});
    my $room = $length - length join "\r\n", $status_line, 'Content-length: 00', @headers, '', '';
    die "no room for the answer to $status_line\n" if $room < length $body || $room > 99;
    return join "\r\n", $status_line, "Content-length: $room", @headers, '', $body . ' ' x ($room - length $body);
}
